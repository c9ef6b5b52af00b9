"""The words `edge profile list`, `show`, `new` and `check`: profiles as people read, begin and check them."""

import argparse
import json
import re
from pathlib import Path

from edge.errors import ConfigFault, Problem
from edge.field.profiles.blueprint import blueprint
from edge.field.profiles.loader import load_profile, read_profile, shipped
from edge.field.profiles.sheet import as_data, listing, page, sheet
from edge.field.profiles.table import BLANK
from edge.roles import KINDS

ID = re.compile(r"[a-z0-9-]+")


def add_profile_words(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The word `profile` and those below it."""
    parser = words.add_parser("profile", help="device models: list them, show one, begin one, check one")
    below = parser.add_subparsers(required=True, metavar="WORD")
    every = below.add_parser("list", help="the models that come with the program")
    every.add_argument("--markdown", action="store_true", help="the handbook's page of devices")
    every.add_argument("--json", action="store_true", help="for machines")
    every.set_defaults(act=_list)
    one = below.add_parser("show", help="everything about one: addresses, types, scales, what it has not")
    one.add_argument("id")
    one.add_argument("--json", action="store_true", help="for machines")
    one.set_defaults(act=_show)
    new = below.add_parser("new", help="write a blueprint to be filled in; an existing file is left alone")
    new.add_argument("kind", choices=KINDS)
    new.add_argument("--id", default="", help="its id and the name of its file (new-KIND)")
    new.set_defaults(act=_new, undone="nothing was written")
    check = below.add_parser("check", help="say everything that is wrong with a profile file, or what it says")
    check.add_argument("file", type=Path)
    check.add_argument("--json", action="store_true", help="for machines")
    check.set_defaults(act=_check, undone="no site can use it like this")


def _list(options: argparse.Namespace) -> int:
    profiles = [load_profile(name) for name in shipped()]
    if options.json:
        print(json.dumps([as_data(profile) for profile in profiles]))
    else:
        print("\n".join(page(profiles) if options.markdown else listing(profiles)))
    return 0


def _show(options: argparse.Namespace) -> int:
    profile = load_profile(options.id)
    print(json.dumps(as_data(profile)) if options.json else "\n".join(sheet(profile)))
    return 0


def _new(options: argparse.Namespace) -> int:
    profile_id = options.id or f"new-{options.kind}"
    if not ID.fullmatch(profile_id):
        raise ConfigFault([Problem("profile new", "--id", profile_id, "must be of a-z, 0-9 and -")])
    if profile_id in shipped():
        raise ConfigFault(
            [Problem("profile new", "--id", profile_id, "ships with the program", "give yours another name")]
        )
    path = Path(f"{profile_id}.toml")
    text = blueprint(options.kind, profile_id)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        allowed = "is there already and was left alone"
        raise ConfigFault([Problem(path.name, "file", None, allowed, "another --id, or another folder")]) from error
    except OSError as error:
        raise ConfigFault([Problem(path.name, "file", None, f"cannot be written: {error.strerror}")]) from error
    count = sum(line.split("#")[0].count(f'"{BLANK}') for line in text.splitlines() if not line.startswith("#"))
    print(f"{path}: {count} places to fill in, each marked {BLANK}; then: edge profile check {path}")
    return 0


def _check(options: argparse.Namespace) -> int:
    profile = read_profile(options.file)
    if options.json:
        print(json.dumps(as_data(profile)))
        return 0
    print("\n".join(sheet(profile)))
    name = "" if options.file.stem == profile.id else f" as {profile.id}.toml"
    print(f"\n{options.file}: good. It is found by its id once it is in the folder profiles beside the site file{name}")
    return 0
