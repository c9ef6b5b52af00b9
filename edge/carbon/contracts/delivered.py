"""What a contract delivered, by quarter of an hour: from a table of meter readings to what the ledger keeps of it.

A table has the columns `start_utc`, `stop_utc` and `wh`: whole watt-hours, rounded down, of at most an hour each, as
granular certificates and settlement meters state them. A longer row is spread evenly over its quarters. A quarter that
is in no row was delivered nothing. In the ledger a later entry of the same contract and quarter counts instead.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.carbon.interval import INTERVAL_MS
from edge.carbon.ledger.entry import Body
from edge.carbon.ledger.gaps import spread
from edge.errors import DataFault

COLUMNS = ["start_utc", "stop_utc", "wh"]
TABLE_MAX_BYTES = 8 << 20  # a year of quarters is 2 MB
ROW_MAX_MS = 3_600_000  # longer is no hourly matching
WH_MAX = 10**12  # a TWh in an hour is no contract
DAY_MS = 86_400_000
WHOLE = re.compile(r"[0-9]{1,13}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Consecutive quarters of one UTC day, Wh each. `source_sha256`: of the table; `who` handed it in."""

    contract: str
    start_ms: int
    wh: tuple[int, ...]
    source_sha256: str
    who: str

    @property
    def stop_ms(self) -> int:
        return self.start_ms + len(self.wh) * INTERVAL_MS


def read_deliveries(raw: bytes, name: str, contract: str, who: str) -> list[Delivery]:
    """One a day of a table named `name`. Raises DataFault at the first row that cannot be trusted."""
    quarters: dict[int, int] = {}
    for start_ms, stop_ms, wh in _rows(raw, name):
        slots = range(start_ms, stop_ms, INTERVAL_MS)
        quarters.update(zip(slots, spread(wh, [1] * len(slots)), strict=True))
    digest, found = hashlib.sha256(raw).hexdigest(), []
    for day_ms in sorted({start_ms // DAY_MS * DAY_MS for start_ms in quarters}):
        mine = [start_ms for start_ms in range(day_ms, day_ms + DAY_MS, INTERVAL_MS) if start_ms in quarters]
        whole = range(mine[0], mine[-1] + 1, INTERVAL_MS)
        found.append(Delivery(contract, mine[0], tuple(quarters.get(at, 0) for at in whole), digest, who))
    return found


def _rows(raw: bytes, name: str) -> Iterator[tuple[int, int, int]]:
    if len(raw) > TABLE_MAX_BYTES:
        raise DataFault(f"{name}: {len(raw)} bytes; a table of deliveries has at most {TABLE_MAX_BYTES}")
    try:
        lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFault(f"{name}: not a table in UTF-8: {error}") from None
    if not lines or lines[0] != COLUMNS:
        raise DataFault(f"{name}:1: {','.join(lines[0] if lines else [])!r}: must be the head {','.join(COLUMNS)}")
    before_ms = 0
    for number, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        if len(cells) != len(COLUMNS):
            raise DataFault(f"{name}:{number}: {len(cells)} columns; must be {','.join(COLUMNS)}")
        start_ms, stop_ms = (
            _quarter(text, f"{name}:{number}: {key}") for key, text in zip(COLUMNS[:2], cells[:2], strict=True)
        )
        if not start_ms < stop_ms <= start_ms + ROW_MAX_MS:
            raise DataFault(
                f"{name}:{number}: stop_utc {cells[1]!r}: must be 15 to 60 minutes after start_utc {cells[0]!r}"
            )
        if start_ms < before_ms:
            raise DataFault(f"{name}:{number}: start_utc {cells[0]!r}: must not be before the stop of the row before")
        if not WHOLE.fullmatch(cells[2]) or int(cells[2]) > WH_MAX:
            raise DataFault(f"{name}:{number}: wh {cells[2]!r}: must be whole watt-hours, 0..{WH_MAX}")
        before_ms = stop_ms
        yield start_ms, stop_ms, int(cells[2])


def _quarter(text: str, where: str) -> int:
    try:
        stamp = datetime.fromisoformat(text.strip())
    except ValueError:
        raise DataFault(f"{where} {text[:40]!r}: must be a time such as 2026-01-31T12:15:00Z") from None
    stamp = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=UTC)
    wall_ms = int(stamp.timestamp() * 1000)
    if wall_ms % INTERVAL_MS or wall_ms < 0:
        raise DataFault(f"{where} {text[:40]!r}: must be at a whole quarter of an hour, since 1970")
    return wall_ms


def delivery_body(delivery: Delivery) -> Body:
    """As the ledger keeps it."""
    return {
        "contract": delivery.contract, "source_sha256": delivery.source_sha256, "start_ms": delivery.start_ms,
        "wh": list(delivery.wh), "who": delivery.who,
    }  # fmt: skip


def delivery_fault(body: Body, plan: Body) -> tuple[str, object, object] | None:
    """(field, expected, found) of what is wrong with a kept delivery whose shape is right."""
    names = [one["name"] for one in plan.get("contracts", ()) if by_interval(one)]
    start_ms, quarters = body["start_ms"], body["wh"]
    if body["contract"] not in names:
        return "contract", f"one that counts by interval: {', '.join(names) or 'none'}", body["contract"]
    if start_ms < 0 or start_ms % INTERVAL_MS:
        return "start_ms", "a whole quarter of an hour", start_ms
    if not 1 <= len(quarters) <= (DAY_MS - start_ms % DAY_MS) // INTERVAL_MS:
        return "wh", "quarters of one UTC day", len(quarters)
    bad = next((wh for wh in quarters if not 0 <= wh <= WH_MAX), None)
    return None if bad is None else ("wh", f"0..{WH_MAX}", bad)


def by_interval(contract: Body) -> bool:
    """Whether a contract of a plan counts what was delivered in each interval: neither a share nor a volume of the year."""
    return not contract["share_permille"] and not contract.get("energy_wh", 0)
