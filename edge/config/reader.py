"""TOML to Config: every unknown key, wrong type and out-of-range value at once, each with file, key, value, allowed.

Generic over the dataclasses of `options.py`; comparisons between options live in `checks.py`.
"""

import dataclasses
import re
import types
import typing
from pathlib import Path
from typing import Any

import tomli

from edge.config.checks import cross_check
from edge.config.options import Config
from edge.errors import ConfigFault, Problem

SCHEMA = 1
FILE_MAX_BYTES = 1 << 20  # a site file is a few kilobytes; more is not a site file


def load_config(path: Path | str) -> Config:
    """The checked configuration of one site. Raises ConfigFault with every problem found."""
    return parse_config(read_toml(Path(path)), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """The raw tables of a TOML file. Raises ConfigFault when it cannot be read or is not TOML."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigFault([Problem(str(path), "file", None, f"cannot be read: {error.strerror}")]) from error
    if len(raw) > FILE_MAX_BYTES:
        raise ConfigFault([Problem(str(path), "file", None, f"larger than {FILE_MAX_BYTES} bytes: not a site file")])
    try:
        return tomli.loads(raw.decode())
    except (tomli.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigFault([Problem(str(path), "file", None, f"not TOML: {error}")]) from error


def parse_config(tables: dict[str, Any], file: str) -> Config:
    """Tables of a site file to Config. Raises ConfigFault with every problem found."""
    problems: list[Problem] = []
    tables = dict(tables)
    schema = tables.pop("schema", None)
    if schema != SCHEMA or isinstance(schema, bool):
        problems.append(Problem(file, "schema", schema, f"must be {SCHEMA}", "the first line of the file"))
    config = _read_table(Config, tables, file, "", problems, {"file": file})
    if config is not None and not problems:
        problems += cross_check(config)
    if problems or config is None:
        raise ConfigFault(problems)
    return typing.cast(Config, config)


def _read_table(
    cls: Any, table: object, file: str, path: str, problems: list[Problem], given: dict[str, Any] | None = None
) -> Any:
    """One dataclass from one table; None when something in it was wrong (already noted)."""
    if not isinstance(table, dict):
        problems.append(Problem(file, path, table, "must be a table"))
        return None
    values: dict[str, Any] = dict(given or {})
    count_before = len(problems)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in values}
    hints = typing.get_type_hints(cls)
    for key in table:
        if key not in fields:
            allowed = "unknown key; allowed: " + ", ".join(sorted(fields))
            problems.append(Problem(file, _join(path, key), table[key], allowed, _nearest(key, fields)))
    for name, spec in fields.items():
        key = _join(path, name)
        if name in table:
            values[name] = _read_value(hints[name], spec, table[name], file, key, problems)
        elif spec.metadata.get("required") or spec.default is spec.default_factory is dataclasses.MISSING:
            problems.append(Problem(file, key, None, "is missing", _describe(hints[name], spec)))
    return cls(**values) if len(problems) == count_before else None


def _read_value(hint: Any, spec: Any, value: object, file: str, key: str, problems: list[Problem]) -> Any:
    if typing.get_origin(hint) is tuple:
        (item, _) = typing.get_args(hint)
        if not dataclasses.is_dataclass(item):
            return _read_row(item, spec, value, file, key, problems)
        if not isinstance(value, list):
            problems.append(Problem(file, key, value, f"must be a list of tables, written [[{key}]]"))
            return None
        return tuple(_read_table(item, entry, file, f"{key}[{i}]", problems) for i, entry in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return _read_table(hint, value, file, key, problems)
    fault = _fault_of(hint, spec.metadata, value)
    if fault:
        problems.append(Problem(file, key, value, fault, spec.metadata.get("when", "")))
    return value


def _read_row(item: Any, spec: Any, value: object, file: str, key: str, problems: list[Problem]) -> Any:
    """A list of plain values, as long as its default."""
    if not isinstance(value, list) or len(value) != len(spec.default):
        problems.append(Problem(file, key, value, f"must be a list of {len(spec.default)} values"))
        return None
    for index, entry in enumerate(value):
        fault = _fault_of(item, spec.metadata, entry)
        if fault:
            problems.append(Problem(file, f"{key}[{index}]", entry, fault, spec.metadata.get("when", "")))
    return tuple(value)


def _fault_of(hint: Any, meta: types.MappingProxyType[str, Any], value: object) -> str:
    if type(value) is not hint:  # bool is not int here, and 1.0 is not 1
        return "must be " + {int: "a whole number", str: "a text", bool: "true or false"}[hint]
    if meta["words"] and str(value) not in meta["words"]:
        return "must be one of " + ", ".join(meta["words"])
    if isinstance(value, int) and not isinstance(value, bool):
        low, high = meta["low"], meta["high"]
        if (low is not None and value < low) or (high is not None and value > high):
            return f"must be {low}..{high}"
    if meta["pattern"] and not re.fullmatch(meta["pattern"], str(value)):
        return f"must match {meta['pattern']}"
    return ""


def _describe(hint: Any, spec: Any) -> str:
    meta = spec.metadata
    if meta.get("words"):
        return "one of " + ", ".join(meta["words"])
    if meta.get("low") is not None:
        return f"a whole number {meta['low']}..{meta['high']}" + (f"; {meta['when']}" if meta["when"] else "")
    return str(meta.get("when", ""))


def _nearest(key: str, fields: dict[str, Any]) -> str:
    """A key with the same stem but another unit is the usual mistake; say so."""
    stem = key.rsplit("_", 1)[0]
    for name in fields:
        if name != key and (name.startswith(key) or (stem and name.startswith(stem + "_"))):
            return f"did you mean {name}? the unit is part of the name"
    return ""


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
