"""One table of emission factors: a TOML file with its source, read strictly; numbers are exact, never binary fractions.

Tables ship in `tables/`; a site may lay its own into the folder `factors` beside its site file. A table is never edited
once it has been used: a new year or a mended value is a new file, so that an old booking can be computed again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomli

from edge.errors import ConfigFault, Problem

SCHEMA = 1
FOLDER = Path(__file__).parent / "tables"
TABLE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
FACTOR_MAX_G_PER_KWH = 5_000  # four times the dirtiest plant: more is a unit error
FILE_MAX_BYTES = 64 << 10
TEXTS = ("version", "region", "source", "licence")
OPTIONAL = ("doubt",)
GASES = ("CO2", "CO2e")
BASES = ("direct", "lifecycle")


@dataclass(frozen=True, slots=True)
class Factor:
    """mg/kWh of electricity generated; None where the source gives no value. Ranges are (low, high) as published."""

    direct_mg_per_kwh: int | None = None
    lifecycle_mg_per_kwh: int | None = None
    direct_range: tuple[int, int] | None = None
    lifecycle_range: tuple[int, int] | None = None

    def value(self, basis: str) -> int | None:
        return self.direct_mg_per_kwh if basis == "direct" else self.lifecycle_mg_per_kwh


@dataclass(frozen=True, slots=True)
class FactorTable:
    """What one file says. `annual` is the regional average of the year, where the source gives one."""

    id: str
    version: str
    region: str
    year: int
    gases: str  # of the direct values; lifecycle values are always CO2e
    losses_included: bool  # transmission and distribution losses: they must never be added twice
    source: str
    licence: str
    doubt: str  # what is not sure about it, in words; "" for nothing known
    annual: Factor
    fuels: tuple[tuple[str, Factor], ...]


def load_tables(folder: Path | None = None) -> tuple[FactorTable, ...]:
    """All tables that ship, then those of `folder` (a site's own). Raises ConfigFault with every problem found."""
    tables: list[FactorTable] = []
    problems: list[Problem] = []
    for path in _files(folder):
        try:
            tables.append(read_table(path))
        except ConfigFault as fault:
            problems += fault.problems
    if problems:
        raise ConfigFault(problems)
    return tuple(tables)


def load_table(table_id: str, folder: Path | None = None) -> FactorTable:
    """The table of that name, a site's own before one that ships. Raises ConfigFault."""
    paths = {path.stem: path for path in _files(folder)}
    if table_id not in paths:
        raise ConfigFault([Problem("factors", table_id, None, "no such table; there are: " + ", ".join(sorted(paths)))])
    return read_table(paths[table_id])


def _files(folder: Path | None) -> Iterator[Path]:
    yield from sorted(FOLDER.glob("*.toml"))
    if folder is not None and folder.is_dir():
        yield from sorted(folder.glob("*.toml"))


def read_table(path: Path) -> FactorTable:
    """Raises ConfigFault with every problem of the file."""
    try:
        raw = path.read_bytes()
        if len(raw) > FILE_MAX_BYTES:
            raise ValueError(f"larger than {FILE_MAX_BYTES} bytes")
        data = tomli.loads(raw.decode(), parse_float=Decimal)
    except OSError as error:
        raise ConfigFault([Problem(str(path), "file", None, f"cannot be read: {error.strerror}")]) from None
    except (ValueError, RecursionError, ArithmeticError) as error:  # not TOML, not UTF-8, a number beyond reason
        raise ConfigFault([Problem(str(path), "file", None, f"not a table of factors: {error}")]) from None
    return _Reader(str(path), data).table(path.stem)


class _Reader:
    """Collects every problem of one file."""

    def __init__(self, file: str, data: dict[str, Any]) -> None:
        self._file = file
        self._data = data
        self._problems: list[Problem] = []

    def table(self, stem: str) -> FactorTable:
        data = self._data
        allowed = {"schema", "year", "gases", "losses_included", "annual", "fuel", *TEXTS, *OPTIONAL}
        for key in sorted(set(data) - allowed):
            self._note(key, data[key], "unknown key; allowed: " + ", ".join(sorted(allowed)))
        if not TABLE_ID.fullmatch(stem):
            self._note("file", stem, f"its name must match {TABLE_ID.pattern}")
        if data.get("schema") != SCHEMA:
            self._note("schema", data.get("schema"), f"must be {SCHEMA}")
        texts = {key: self._text(key, data.get(key), key not in OPTIONAL) for key in (*TEXTS, *OPTIONAL)}
        year, gases = data.get("year"), data.get("gases")
        if type(year) is not int or not 1990 <= year <= 2100:
            self._note("year", year, "must be a year 1990..2100")
            year = 0
        if gases not in GASES:
            self._note("gases", gases, "must be one of " + ", ".join(GASES))
        losses = data.get("losses_included", False)
        if not isinstance(losses, bool):
            self._note("losses_included", losses, "must be true or false")
        annual = self._factor("annual", data.get("annual", {}))
        fuels = self._fuels(data.get("fuel", {}))
        if not fuels and annual == Factor():
            self._note("fuel", None, "a table needs [fuel.NAME] tables or [annual]")
        if fuels and "unknown" not in dict(fuels):
            self._note("fuel.unknown", None, "is missing: what a fuel counts as that is not in this table")
        if self._problems:
            raise ConfigFault(self._problems)
        return FactorTable(
            stem, texts["version"], texts["region"], year, str(gases), bool(losses), texts["source"], texts["licence"],
            texts["doubt"], annual, fuels,
        )  # fmt: skip

    def _fuels(self, data: Any) -> tuple[tuple[str, Factor], ...]:
        if not isinstance(data, dict):
            self._note("fuel", data, "must be tables [fuel.NAME]")
            return ()
        fuels = tuple((name, self._factor(f"fuel.{name}", table)) for name, table in sorted(data.items()))
        for basis in BASES:
            without = [name for name, factor in fuels if factor.value(basis) is None]
            if without and len(without) < len(fuels):
                self._note(f"fuel.{without[0]}.{basis}_g_per_kwh", None, "is missing: all fuels have it, or none")
        return fuels

    def _factor(self, key: str, data: Any) -> Factor:
        if not isinstance(data, dict):
            self._note(key, data, "must be a table")
            return Factor()
        names = [f"{basis}_{form}" for basis in BASES for form in ("g_per_kwh", "range_g_per_kwh")]
        for name in sorted(set(data) - set(names)):
            self._note(f"{key}.{name}", data[name], "unknown key; allowed: " + ", ".join(names))
        values = [self._number(f"{key}.{name}", data[name]) if name in data else None for name in names[::2]]
        ranges = [self._range(f"{key}.{name}", data[name]) if name in data else None for name in names[1::2]]
        return Factor(values[0], values[1], ranges[0], ranges[1])

    def _range(self, key: str, value: Any) -> tuple[int, int] | None:
        pair = [self._number(key, item) for item in value] if isinstance(value, list) else []
        if len(pair) == 2 and pair[0] is not None and pair[1] is not None and pair[0] <= pair[1]:
            return pair[0], pair[1]
        self._note(key, value, "must be [low, high]")
        return None

    def _number(self, key: str, value: Any) -> int | None:
        number = value if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal(-1)
        if Decimal(number).is_nan() or not 0 <= number <= FACTOR_MAX_G_PER_KWH:
            self._note(key, value, f"must be a number 0..{FACTOR_MAX_G_PER_KWH} in g/kWh")
            return None
        return int((Decimal(number) * 1000).to_integral_value())

    def _text(self, key: str, value: Any, needed: bool) -> str:
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or not value.strip():
            self._note(key, value, "must be a text")
            return ""
        return value

    def _note(self, key: str, value: Any, allowed: str) -> None:
        shown = value if isinstance(value, str | int | bool | None) else str(value)
        self._problems.append(Problem(self._file, key, shown, allowed))
