"""A small package with one of everything in it, in memory."""

import io
from collections.abc import Iterator
from hashlib import sha256
from random import Random
from typing import Any, BinaryIO

from edge.carbon.evidence.package import Period, select, write
from edge.carbon.interval import INTERVAL_MS, ClockState, RegisterSpan
from edge.carbon.ledger.entry import Entry
from edge.carbon.ledger.ledger import Correction
from tests.carbon.ledger_kit import METERS, START_MS, Kept, Plant, factor, site

DAY_MS = 96 * INTERVAL_MS
BODY = b'{"lastUpdated":"2026-01-01 00:00:00-0600","data":{}}\n' * 3
BODY_SHA256 = sha256(BODY).hexdigest()


class MemorySource:
    """A package as a dict."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def names(self) -> list[str]:
        return list(self.files)

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.files[name])


class MemoryFile:
    def __init__(self, files: dict[str, bytes], name: str) -> None:
        self._files, self._name, self._parts = files, name, list[bytes]()

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def close(self) -> None:
        self._files[self._name] = b"".join(self._parts)


def package_of(kept: Kept, period: Period, payloads: dict[str, bytes] | None = None) -> dict[str, bytes]:
    entries = kept.entries
    first_no, last_no = select(lambda: iter(entries), period)
    files: dict[str, bytes] = {}

    def chosen() -> Iterator[Entry]:
        return iter(entries[first_no - 1 : last_no])

    write(chosen, period, (payloads or {}).get, lambda name: MemoryFile(files, name))
    return files


CONTRACT = {"name": "wind", "kind": "ppa", "share_permille": 300, "intensity_mg_per_kwh": 0, "document": "PPA-7"}


def rich(day_count: int = 2, **more_of: Any) -> Kept:
    """Days with a rollover, a gap, a correction, a late factor, a wrong clock and a signature."""
    meters = [{**METERS[0], "register_max_wh": 100_000_000}, *METERS[1:]]
    config = site(meter=meters, contract=[CONTRACT], evidence={"region": "ERCOT", "operator": "Demo <Ltd> & sons"})
    kept, plant = Kept(config, annual=factor(333, kind="annual"), **more_of), Plant(Random(3))
    for index in range(day_count * 96):
        if index == 20:
            plant.skip(4)  # an hour that nobody saw
        more = {"factor": factor(350, payload_sha256=BODY_SHA256)} if index == 7 else {}
        if index in (30, 31):
            more["clock"] = ClockState("rtc", None, False)
        made = plant.interval()
        if index == 40:
            wh = made.registers[0].delta_wh or 0
            rolled = RegisterSpan("poc", "meter.energy_import", 99_999_900, wh - 100, wh, "measured", "rollover")
            more["registers"] = (rolled, *made.registers[1:])
        names = {name: getattr(made, name) for name in made.__slots__}
        if "factor" in more:
            names["flows"] = tuple(
                type(flow)(flow.source, flow.sink, flow.energy_mj, flow.energy_mj * 350_000 // 3_600_000)
                if flow.source == "grid"
                else flow
                for flow in made.flows
            )
            charged_ug = sum(flow.carbon_ug for flow in names["flows"] if flow.sink == "battery")
            was_ug = sum(flow.carbon_ug for flow in made.flows if flow.sink == "battery")
            names["carbon_close_ug"] += charged_ug - was_ug
            plant.carbon_ug += charged_ug - was_ug
        kept.note(type(made)(**(names | more)), mono_ms=None if index != 32 else kept.mono_ms + INTERVAL_MS + 5_000)
        if index == 60:
            target = kept.of("interval")[5]
            instead = Plant(Random(3), target.body["start_ms"]).interval()
            kept.ledger.correct(
                Correction(target.no, target.digest, instead, "A. Auditor", "wrong phase, seen on site")
            )
            kept.ledger.note_factor(target.body["start_ms"] + 3 * INTERVAL_MS, factor(250), "late")
            kept.settle(plant.start_ms)
    return kept


def period_of(first_ms: int, count: int) -> Period:
    return Period(first_ms, first_ms + count * DAY_MS)


WHOLE = period_of(START_MS, 2)
