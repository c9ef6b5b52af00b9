"""What is found afterwards of an entry that is written: a late factor, a correction. Bodies of new entries; the old stay."""

from dataclasses import dataclass, replace

from edge.carbon.contracts.shares import ug_of
from edge.carbon.interval import FactorUse, Interval
from edge.carbon.ledger.body import body_of, factor_body, import_mj
from edge.carbon.ledger.entry import Body, Entry


@dataclass(frozen=True, slots=True)
class Correction:
    """What entry `no` (whose hash is `digest`) should have said, of the same time; who says so, and why."""

    no: int
    digest: str
    interval: Interval
    who: str
    why: str


def revision_body(entry: Entry, factor: FactorUse, why: str) -> Body:
    """The interval's import at the factor that came late, less what it was booked at."""
    difference_ug = ug_of(import_mj(entry.body), factor.value_mg_per_kwh) - entry.body["location_ug"]
    told = {"difference_ug": difference_ug, "digest": entry.digest, "entry": entry.no}
    return {**told, "factor": factor_body(factor), "why": why}


def correction_body(correction: Correction, plan: Body) -> Body:
    """The whole interval that counts instead; its registers are called corrected as well."""
    spans = tuple(replace(span, quality="corrected") for span in correction.interval.registers)
    made = body_of(replace(correction.interval, registers=spans), plan)
    made["quality"] = "corrected"
    told = {"digest": correction.digest, "entry": correction.no, "who": correction.who, "why": correction.why}
    return {**told, "interval": made}
