"""Scenario files (TOML): every mistake at once, each with file, key, value and what is allowed.

[site] tables replace options of the example site ([site.unit]: of its units; [[site.device]] adds a device to it), [plant]
is what the site is made of, [[fault]] is read by hil.faults, [[step]] is who does what, [[expect]] what must be seen.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.config.options import Config
from edge.config.reader import parse_config
from edge.errors import ConfigFault, Problem
from hil.assembly import device_kinds
from hil.day.image import example_tables
from hil.faults import Fault, parse_faults
from hil.scenario.expect import DEFAULTS, KINDS
from hil.scenario.file.plant import read_plant
from hil.scenario.file.table import Table
from hil.scenario.model import Expectation, Scenario, Step

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
DURATION_MAX_S = 3_600.0
# What may be done, and which keys it takes besides at_s.
DEEDS: Mapping[str, tuple[str, ...]] = {
    "hold": ("source",), "resume": ("source",), "reset": ("source",), "service": ("source",),
    "wish": ("source", "power_w", "for_s"),
    "clear": ("device",),  # by a person at the device itself
    "kill": (), "start": (),  # the controller's process: as kill -9, and as a supervisor starts it again
}  # fmt: skip
SOURCES = ("console", "fleet", "plan", "rule")
WHEN = (("at_s",), ("after_s", "within_s"), ("from_s", "to_s"))
TOP = ("description", "duration_s", "seed", "site", "plant", "fault", "step", "expect")


def names() -> list[str]:
    """The scenarios that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    """A scenario by its name, or by the path of a file. Raises ConfigFault with every problem."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file() and path.parent == FOLDER:
        known = ", ".join(("all", *names()))
        raise ConfigFault([Problem("scenario", "name", name, f"must be one of {known}", "or a path to a .toml file")])
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigFault([Problem(path.name, "file", None, f"cannot be read as TOML: {error}")]) from error
    return parse(tables, path)


def parse(tables: Mapping[str, Any], path: Path) -> Scenario:
    """The tables of one file. Raises ConfigFault with every problem."""
    problems: list[Problem] = []
    top = Table(tables, path.name, "", problems)
    duration_s = top.number("duration_s", None, 1.0, DURATION_MAX_S)
    duration_s = DURATION_MAX_S if problems else duration_s  # one bad number makes no other one bad
    description = top.text("description", required=True)
    seed = top.whole("seed", 1, 0, 1 << 31)
    site_tables, config = _site(top.table("site"), path.name, problems)
    spec = read_plant(top.table("plant"), config, path, problems)
    faults = _faults(top.tables("fault"), config, duration_s, path.name, problems)
    kinds = device_kinds(config)
    steps = [_step(table, kinds, duration_s) for table in top.tables("step")]
    expectations = [_expectation(table, kinds, duration_s) for table in top.tables("expect")]
    if "expect" not in tables:
        problems.append(Problem(path.name, "expect", None, "is missing: at least one [[expect]] table"))
    top.end(TOP)
    if problems:
        raise ConfigFault(problems)
    return Scenario(
        path.stem, path.name, description, duration_s, seed, site_tables, config, spec, tuple(faults),
        tuple(sorted(steps, key=lambda step: step.at_s)), tuple(expectations),
    )  # fmt: skip


def _site(changes: Table, file: str, problems: list[Problem]) -> tuple[dict[str, Any], Config]:
    """The example site without store, cloud and console, changed. A bad change is noted, and the example stands in."""
    plain = example_tables()
    for name in ("store", "cloud", "console"):
        plain.pop(name, None)
    plain["signal"] = {"kind": "none"}
    tables = dict(plain)
    for name in changes.names():
        value = changes.take(name)
        if name == "device" and isinstance(value, list):
            tables["device"] = [*plain["device"], *value]
        elif not isinstance(value, dict):
            problems.append(Problem(file, f"site.{name}", value, f"must be a table written as [site.{name}]"))
        elif name == "unit":
            tables["unit"] = [{**unit, **value} for unit in plain["unit"]]
        elif isinstance(plain.get(name, {}), dict):
            tables[name] = {**plain.get(name, {}), **value}
        else:
            problems.append(Problem(file, f"site.{name}", None, "cannot be changed by a scenario"))
    try:
        return tables, parse_config(tables, file)
    except ConfigFault as fault:
        problems += [Problem(file, f"site.{p.key}", p.value, p.allowed, p.hint) for p in fault.problems]
        return plain, parse_config(plain, file)


def _faults(
    tables: Sequence[Table], config: Config, duration_s: float, file: str, problems: list[Problem]
) -> list[Fault]:
    try:
        faults = parse_faults([table.rest() for table in tables], file, device_kinds(config))
    except ConfigFault as found:
        problems += found.problems
        return []
    for index, fault in enumerate(faults):
        if fault.at_s >= duration_s:
            allowed = f"must be before duration_s = {duration_s:g}"
            problems.append(Problem(file, f"fault[{index}].at_s", fault.at_s, allowed))
    return faults


def _step(table: Table, kinds: Mapping[str, str], duration_s: float) -> Step:
    do = table.word("do", tuple(DEEDS))
    at_s = table.number("at_s", None, 0.0, duration_s)
    keys = DEEDS.get(do, ("source", "power_w", "for_s", "device"))
    source = table.word("source", SOURCES, "console") if "source" in keys else ""
    power_w = table.whole("power_w", None, -100_000_000, 100_000_000) if do == "wish" else 0
    for_s = table.number("for_s", 900.0, 0.1, 900.0) if do == "wish" else 0.0
    clearable = tuple(name for name, kind in kinds.items() if kind in ("pcs", "bms"))
    device = table.word("device", clearable) if do == "clear" else ""
    table.end(("at_s", "do", *keys))
    return Step(at_s, do, source, power_w, for_s, device)


def _expectation(table: Table, kinds: Mapping[str, str], duration_s: float) -> Expectation:
    what = table.word("what", tuple(KINDS))
    kind = KINDS.get(what)
    if kind is None:
        return Expectation(what)
    word = table.word("is", kind.words) if kind.words else ""
    limits = {"low_w": (-1e9, 1e9), "high_w": (-1e9, 1e9), "part_min": (0.0, 1.0), "longest_s": (0.0, DURATION_MAX_S)}
    numbers = {name: table.number(name, DEFAULTS[name], *limits[name]) for name in kind.numbers}
    devices = tuple(name for name, use in kinds.items() if use != "port")
    device = table.word("device", devices) if kind.device else ""
    times = _times(table, duration_s, kind.stream == "span")
    extra = ("device",) if kind.device else ()
    table.end(
        ("what", *(("is",) if kind.words else ()), *kind.numbers, *extra, *(key for keys in WHEN for key in keys))
    )
    return Expectation(what, word, device=device, **numbers, **times)


def _times(table: Table, duration_s: float, spans_only: bool) -> dict[str, float]:
    """Exactly one of the ways to say when."""
    wanted = WHEN[2:] if spans_only else WHEN
    given = [keys for keys in wanted if any(key in table.names() for key in keys)]
    ways = ", or ".join(" with ".join(keys) for keys in wanted)
    if len(given) != 1:
        table.note("at_s" if not spans_only else "from_s", None, f"say when in one way: {ways}")
        return {key: table.number(key, 0.0, 0.0, duration_s) for keys in WHEN for key in keys if key in table.names()}
    times = {key: table.number(key, None, 0.0, duration_s) for key in given[0]}
    if "to_s" in times and times["to_s"] <= times["from_s"]:
        table.note("to_s", times["to_s"], f"must be after from_s = {times['from_s']:g}")
    if "within_s" in times and times["after_s"] + times["within_s"] > duration_s:
        table.note("within_s", times["within_s"], f"ends after duration_s = {duration_s:g}")
    return times
