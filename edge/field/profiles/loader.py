"""Profile TOML to Profile: every mistake at once, each with file, key, value, allowed. Each table is read in grammar.py."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import tomli

from edge.errors import ConfigFault, Problem
from edge.field.profile import Block, Command, Point, Profile, Write
from edge.field.profiles import grammar
from edge.field.profiles.table import BLANK, Table
from edge.field.profiles.upkeep import constants_of, heartbeat_of
from edge.roles import FLAGS, FLAGS_MANDATORY, KINDS, ROLES, WRITES_MANDATORY

FOLDER = Path(__file__).parent
OWN_FOLDER = "profiles"  # beside the site file


def shipped() -> list[str]:
    """The ids of the profiles that come with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def own_folder(site_file: str) -> Path:
    """Where the site's own profiles are."""
    return Path(site_file).parent / OWN_FOLDER


def load_profile(profile_id: str, site_file: str = "") -> Profile:
    """The profile that ships under this id, or the site's own: `profiles/<id>.toml` beside its site file.

    Raises ConfigFault, also when it is there twice: nobody could say which one a device is driven by.
    """
    name = f"{profile_id}.toml"
    own = own_folder(site_file) / name if site_file else None
    is_own, is_shipped = own is not None and own.is_file(), profile_id in shipped()
    if own is not None and is_own and is_shipped:
        raise ConfigFault(
            [Problem(str(own), "profile.id", profile_id, "ships with the program", "give yours another name")]
        )
    if own is not None and is_own:
        return read_profile(own)
    if not is_shipped:
        known, hint = ", ".join(shipped()), f"a site's own profile is {own}" if own else ""
        raise ConfigFault([Problem(name, "profile", profile_id, f"is not known; there are: {known}", hint)])
    return read_profile(FOLDER / name)


def all_profiles(site_file: str = "") -> tuple[tuple[Profile, ...], list[Problem]]:
    """Every profile that a site file in this place could name, and what is wrong with its own that cannot be used."""
    own = sorted(path.stem for path in own_folder(site_file).glob("*.toml")) if site_file else []
    profiles = [load_profile(name) for name in shipped()]
    problems: list[Problem] = []
    for name in own:
        try:
            profiles.append(replace(load_profile(name, site_file), id=name))  # a site file names it by its file
        except ConfigFault as fault:
            problems += fault.problems
    return tuple(profiles), problems


def read_profile(path: Path) -> Profile:
    """A profile from any file. Raises ConfigFault with every problem found."""
    try:
        tables = tomli.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigFault([Problem(path.name, "file", None, f"cannot be read: {error.strerror}")]) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or a number of thousands of digits
        raise ConfigFault([Problem(path.name, "file", None, f"not TOML: {error}")]) from error
    return parse_profile(tables, path.name)


def parse_profile(tables: dict[str, Any], file: str) -> Profile:
    """Tables of a profile file to Profile. Raises ConfigFault with every problem found."""
    problems: list[Problem] = []
    top = Table(file, "", tables, problems)
    top.whole("schema", 1, 1)
    head = top.table("profile") or Table(file, "profile", {}, problems)
    kind = head.word("kind", KINDS)
    names = [head.word(key) for key in ("id", "vendor", "model", "version", "source")]
    verified = head.flag("verified")
    shift = 1 if head.word("addressing", ("wire0", "doc1"), "wire0") == "doc1" else 0
    notes = head.words("notes")
    head.close()
    link = grammar.read_link(top.table("link") or Table(file, "link", {}, problems))
    points = [grammar.read_point(table, kind, shift) for table in top.tables("point")]
    blocks = tuple(grammar.read_block(table, shift, link, points) for table in top.tables("block"))
    writes = tuple(grammar.read_write(table, kind, shift) for table in top.tables("write"))
    commands = tuple(grammar.read_command(table, kind, shift) for table in top.tables("command"))
    watchdog = grammar.read_watchdog(top.table("watchdog"), shift)
    heartbeat = heartbeat_of(top.table("heartbeat"), shift)
    constants = constants_of(top.tables("constant"), shift)
    identify = grammar.read_identify(top.table("identify"), shift, link)
    top.close()
    if not any(problem.value == BLANK for problem in problems):  # what the whole lacks is still to come
        _whole_profile(top, kind, blocks, points, writes, commands)
    if problems:
        raise ConfigFault(problems)
    profile_id, vendor, model, version, source = names
    return Profile(
        profile_id, vendor, model, cast(Any, kind), version, source, verified, link, blocks, writes, commands, watchdog,
        identify, notes, heartbeat, constants,
    )  # fmt: skip


def _whole_profile(
    top: Table, kind: str, blocks: tuple[Block, ...], points: list[tuple[str, Point]],
    writes: tuple[Write, ...], commands: tuple[Command, ...],
) -> None:  # fmt: skip
    """What only the whole shows: names and roles that are there once, and those that must be there."""
    block_names = [block.name for block in blocks]
    for block, point in points:
        if block not in block_names:
            top.note(
                f"point.{point.name}", block, "block is not one of " + (", ".join(block_names) or "(there is none)")
            )
    for what, names in (
        ("block", block_names),
        ("point", [p.name for _, p in points]),
        ("role", [p.role for _, p in points if p.role]),
        ("write", [w.name for w in writes]),
        ("command", [c.name for c in commands]),
    ):
        for name in sorted({n for n in names if names.count(n) > 1}):
            top.note(what, name, "is there more than once")
    if not points:
        top.note("point", None, f"is missing: a {kind} of which nothing is read is of no use")
    _ratios(top, points)
    roles = {p.role for _, p in points}
    for role in ROLES.values():
        if role.kind == kind and role.mandatory and role.name not in roles:
            top.note("point", role.name, f"is missing: a {kind} is useless without it")
    masks = {mask for _, p in points for _, mask in p.flags}
    for flag in FLAGS_MANDATORY[kind]:
        if FLAGS[kind][flag] not in masks:
            top.note("point", flag, f"flag is missing: a {kind} cannot be judged without it")
    for name in WRITES_MANDATORY[kind]:
        if name not in {w.name for w in writes}:
            top.note("write", name, f"is missing: a {kind} cannot be controlled without it")


def _ratios(top: Table, points: list[tuple[str, Point]]) -> None:
    """What multiplies a point is a plain number of the same device, and is not multiplied itself."""
    plain = {p.name for _, p in points if p.type in ("u16", "s16", "u32", "s32") and not p.role and not p.times}
    for _, point in points:
        for name in point.times:
            if name not in plain:
                top.note(f"point.{point.name}.times", name, "must be the name of a whole-number point without a role")
