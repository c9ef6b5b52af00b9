"""The [plant] table of a scenario: load, sun, state of charge, weather. Rows play from the scenario's second 0."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from edge.config.options import Config
from edge.errors import DataFault, Problem
from hil.assembly import unit_specs
from hil.plant.load import AiLoadSpec, OverheadSpec
from hil.plant.pack import PackSpec
from hil.plant.pv import SkySpec
from hil.plant.site import SiteSpec, TraceSpec, UnitSpec
from hil.scenario.file.table import Table
from hil.traces import Rows, read_irradiance_w_per_m2, read_load_kw

KEYS = (
    "soc_cpct", "connected", "ambient_c", "start_h", "load_w", "load_trace", "load_scale_w", "irradiance_w_per_m2",
    "irradiance_trace", "cloud_fraction",
)  # fmt: skip
LOAD_SCALE_W = 60_000  # of the example site
LAST_S = 1e7  # the last row of a table holds until here


def read_plant(table: Table, config: Config, path: Path, problems: list[Problem]) -> SiteSpec:
    """`load_w` is the whole load, number or [[s, W], ...]; a trace or the generator is IT load with overhead on top."""
    start_s = 3_600 * table.number("start_h", 11.0, 0.0, 24.0)
    pack = table.whole("soc_cpct", 5_000, 0, 10_000) / 10_000
    connected = table.flag("connected", False)
    units = tuple(
        UnitSpec(PackSpec(unit.pack.capacity_wh, soc_start=pack), unit.pcs, connected) for unit in unit_specs(config)
    )
    scale_w = float(table.whole("load_scale_w", LOAD_SCALE_W, 1, 100_000_000))
    load: AiLoadSpec | TraceSpec = AiLoadSpec(scale_w=scale_w, jobs=((0.0, LAST_S),))
    overhead = OverheadSpec()
    rows = _rows(table, "load_w", 100_000_000.0)
    if rows:
        load, overhead = TraceSpec(rows, max(value for _, value in rows) or 1.0, start_s), OverheadSpec(0.0, 0.0)
    elif trace := _trace(table, "load_trace", path, read_load_kw):
        load = TraceSpec(trace, scale_w, start_s)
    cloud_fraction = table.number("cloud_fraction", 0.0, 0.0, 1.0)
    irradiance: SkySpec | TraceSpec = SkySpec(cloud_fraction=cloud_fraction)
    if found := _rows(table, "irradiance_w_per_m2", 1_500.0) or _trace(
        table, "irradiance_trace", path, read_irradiance_w_per_m2
    ):
        irradiance = TraceSpec(found, start_s=start_s)
    ambient_c = table.number("ambient_c", 25.0, -30.0, 60.0)
    table.end(KEYS)
    return SiteSpec(
        units=units, load=load, irradiance=irradiance, overhead=overhead, ambient_c=ambient_c, start_s=start_s
    )


def _rows(table: Table, key: str, high: float) -> Rows:
    """A number, or rows of [second, number] with rising seconds; the last row holds."""
    value: Any = table.take(key)
    if value is None:
        return ()
    rows = [[0, value]] if isinstance(value, int | float) and not isinstance(value, bool) else value
    allowed = f"must be a number 0..{high:g}, or rows [[second, number], ...] that begin at 0 and rise"
    if not isinstance(rows, list) or not rows or not all(_is_row(row, high) for row in rows):
        table.note(key, value, allowed)
        return ()
    times = [float(row[0]) for row in rows]
    if times[0] != 0 or any(b <= a for a, b in pairwise(times)):
        table.note(key, value, allowed)
        return ()
    return (*((float(t_s), float(number)) for t_s, number in rows), (LAST_S, float(rows[-1][1])))


def _is_row(row: object, high: float) -> bool:
    if not isinstance(row, list) or len(row) != 2:
        return False
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in row):
        return False
    return bool(0 <= row[0] < LAST_S and 0 <= row[1] <= high)


def _trace(table: Table, key: str, path: Path, read: Callable[[Path], Rows]) -> Rows:
    name = table.text(key)
    if not name:
        return ()
    try:
        return read(path.parent / name)
    except DataFault as fault:
        table.note(key, name, f"cannot be played: {fault}", "a path beside the scenario file")
        return ()
