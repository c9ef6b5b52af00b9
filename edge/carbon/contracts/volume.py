"""Market-based by annual volume: what contracts and certificates of a calendar year cover of the import of that year.

A figure of its own beside the one by interval: in it every contract counts by its volume and nothing by the interval, so
that the two ways are never mixed. Never more than the volume, never more than was imported. A period that is less than a
year gets the part of a volume that is its part of the time for which the volume is valid.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from edge.carbon.contracts.delivered import DAY_MS, by_interval
from edge.carbon.contracts.matched import share_ug
from edge.carbon.contracts.shares import ug_of
from edge.carbon.ledger.body import MJ_PER_WH
from edge.carbon.ledger.entry import Body


@dataclass(frozen=True, slots=True)
class Covered:
    """One contract in one period: its volume, what of it was used, and its carbon."""

    name: str
    volume_mj: int
    mj: int
    ug: int


@dataclass(slots=True)
class Year:
    """One calendar year (UTC) of a period."""

    first_ms: int
    stop_ms: int
    rest_mj: int = 0  # import that no share covers
    rest_ug: int = 0  # its carbon at the residual mix
    other_ug: int = 0  # of the rest of the market-based figure
    delivered_mj: dict[str, int] = field(default_factory=dict)
    plan: Body = field(default_factory=dict)

    def covered(self) -> list[Covered]:
        """In the order of the plan."""
        left_mj, found = self.rest_mj, []
        for contract in self.plan.get("contracts", ()):
            if by_interval(contract):
                volume_mj = self.delivered_mj.get(contract["name"], 0)
            elif contract.get("energy_wh", 0):
                volume_mj = self._part_mj(contract)
            else:
                continue
            mj = min(volume_mj, left_mj)
            left_mj -= mj
            found.append(Covered(contract["name"], volume_mj, mj, ug_of(mj, contract["mg_per_kwh"])))
        return found

    def market_ug(self) -> int:
        """The whole figure of this year."""
        covered = self.covered()
        replaced_ug = share_ug(self.rest_ug, sum(one.mj for one in covered), self.rest_mj)
        return self.other_ug + self.rest_ug - replaced_ug + sum(one.ug for one in covered)

    def _part_mj(self, contract: Body) -> int:
        first_ms, stop_ms = _day_ms(contract["first"]), _day_ms(contract["last"]) + DAY_MS
        shared_ms = min(stop_ms, self.stop_ms) - max(first_ms, self.first_ms)
        return int(contract["energy_wh"] * MJ_PER_WH * max(0, shared_ms) // (stop_ms - first_ms))


def years_of(first_ms: int, stop_ms: int) -> dict[str, Year]:
    """One for each calendar year that a period touches."""
    found: dict[str, Year] = {}
    while first_ms < stop_ms:
        year = datetime.fromtimestamp(first_ms / 1000, UTC).year
        next_ms = min(stop_ms, int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()) * 1000)
        found[str(year)] = Year(first_ms, next_ms)
        first_ms = next_ms
    return found


def _day_ms(day: str) -> int:
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
