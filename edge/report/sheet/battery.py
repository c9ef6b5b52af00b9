"""What the battery did to the inventory: the import as it was, and as it would have been without a battery.

Interval by interval, with the same load, the same sun and the same factor of the grid. What was drawn to charge would not
have been drawn; what the battery gave to the load would have been; sun that went into it would have been used or
exported, and export that came out of it would not have been. It is a difference of the average inventory and nothing
else: what power stations did because of it is a question of marginal emissions, which nothing here answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.carbon.evidence.account import Row
from edge.carbon.ledger.body import energy_mj
from edge.carbon.ledger.market import MJ_MG_PER_UG_KWH


@dataclass(frozen=True, slots=True)
class Without:
    """Sums of the intervals whose factor is known, and how many are left out."""

    import_mj: int
    import_ug: int
    export_mj: int
    without_import_mj: int
    without_import_ug: int
    without_export_mj: int
    skipped_count: int

    @property
    def difference_ug(self) -> int:
        """More than 0: the import of this period carried more carbon because of the battery."""
        return self.import_ug - self.without_import_ug


def without_battery(rows: Sequence[Row]) -> Without:
    """The comparison; carbon of each import is energy times the factor, so that both sides are rounded alike."""
    sums = [0] * 6
    skipped = 0
    for row in rows:
        mg_per_kwh = row.body["factor"]["mg_per_kwh"]
        if not mg_per_kwh and row.body["factor"]["quality"] == "default":  # no factor was known at all
            skipped += 1
            continue
        here = _energies(row)
        before, after = here[0] * mg_per_kwh // MJ_MG_PER_UG_KWH, here[2] * mg_per_kwh // MJ_MG_PER_UG_KWH
        for index, value in enumerate((here[0], before, here[1], here[2], after, here[3])):
            sums[index] += value
    import_mj, import_ug, export_mj, without_mj, without_ug, without_export_mj = sums
    return Without(import_mj, import_ug, export_mj, without_mj, without_ug, without_export_mj, skipped)


def _energies(row: Row) -> tuple[int, int, int, int]:
    """(import, export, import without, export without) of one interval, mJ."""
    body = row.body
    imported, exported = energy_mj(body, "grid"), energy_mj(body, None, "export")
    sun, given = energy_mj(body, "pv", "battery"), energy_mj(body, "battery", "load")
    import0 = imported - energy_mj(body, "grid", "battery") + given
    export0 = exported - energy_mj(body, "battery", "export") + sun
    both = min(import0, export0, sun + given)  # what would have been exported meets what would have been imported
    return imported, exported, import0 - both, export0 - both
