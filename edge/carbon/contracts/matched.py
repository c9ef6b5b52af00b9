"""Market-based by interval: what a contract delivered in an interval covers of what was imported in the same interval.

Never more than was delivered, never more than the import that no share covers; what is over is nobody's in this figure.
Rounded so that nothing is flattered: what is taken off the residual mix is rounded down.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edge.carbon.contracts.delivered import by_interval
from edge.carbon.contracts.shares import ug_of, valid_on
from edge.carbon.ledger.body import MJ_PER_WH
from edge.carbon.ledger.entry import Body, utc_day

REST = ("residual", "grid")  # the part that nothing covers: at the residual mix, or at the grid's average


@dataclass(frozen=True, slots=True)
class Match:
    """One contract in one interval: delivered, what of it was used, its carbon, and what that replaces."""

    name: str
    delivered_mj: int
    mj: int
    ug: int
    replaced_ug: int
    mg_per_kwh: int


def matches_of(body: Body, plan: Body, extra_ug: int, delivered_wh: Callable[[str], int]) -> tuple[Match, ...]:
    """In the order of the plan. `extra_ug`: what a late factor adds to the part at the grid's average."""
    rest = next((part for part in body["market"]["parts"] if part["name"] in REST), None)
    if rest is None:
        return ()
    rest_ug = rest["ug"] + (extra_ug if rest["name"] == "grid" else 0)
    covered_mj, found = 0, []
    for contract in plan.get("contracts", ()):
        if not by_interval(contract) or not valid_on(contract, utc_day(body["start_ms"])):
            continue
        delivered_mj = delivered_wh(contract["name"]) * MJ_PER_WH
        mj = min(delivered_mj, rest["mj"] - covered_mj)
        replaced_ug = share_ug(rest_ug, covered_mj + mj, rest["mj"]) - share_ug(rest_ug, covered_mj, rest["mj"])
        covered_mj += mj
        grams = contract["mg_per_kwh"]
        found.append(Match(contract["name"], delivered_mj, mj, ug_of(mj, grams), replaced_ug, grams))
    return tuple(found)


def share_ug(whole_ug: int, part_mj: int, whole_mj: int) -> int:
    """Rounded down."""
    return whole_ug * part_mj // whole_mj if whole_mj else 0
