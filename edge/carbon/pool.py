"""The battery as a water tank: energy S and carbon M inside, in integers, weighted average (the "pool" of the method).

Rules: charging adds eta_c * C of energy and *all* the carbon (losses concentrate it); discharging D takes
dS = D / eta_d and the share M * dS / S; what rounding leaves stays in M, so nothing is ever lost. A true-up to the SOC
of the BMS changes S only. When a discharge or a downward true-up leaves S below 1 % of the capacity, the rest of M is
expensed as storage loss.

Energy is in microjoule (1 W for 1 ms is 1 mJ; an efficiency in permille makes it exact in uJ), carbon in microgram.
"""

from dataclasses import dataclass

UJ_PER_WH = 3_600_000_000
UG_UJ_PER_MG_KWH = 3_600_000_000  # ug/uJ * 3.6e12 uJ/kWh / 1000 ug/mg = mg/kWh
EMPTY_PERMILLE = 10  # below 1 % the quotient M/S is noise of the SOC, not a property of the energy
TRUE_UP_PERMILLE = 20  # a BMS shows SOC in steps of up to 1 %: a smaller difference is resolution, not drift


@dataclass(frozen=True, slots=True)
class PoolState:
    """What must survive a restart so that carbon goes on balancing: contents inside the pack."""

    stored_uj: int
    carbon_ug: int


class StoredPool:
    """Weighted-average content of one pack. `capacity_wh` is usable energy at 100 % SOC."""

    __slots__ = ("capacity_uj", "carbon_ug", "eta_charge_permille", "eta_discharge_permille", "stored_uj")

    def __init__(
        self,
        capacity_wh: int,
        state: PoolState = PoolState(0, 0),
        *,
        eta_charge_permille: int = 950,
        eta_discharge_permille: int = 950,
    ) -> None:
        if capacity_wh <= 0 or not 0 < eta_charge_permille <= 1000 or not 0 < eta_discharge_permille <= 1000:
            raise ValueError("capacity must be positive and efficiencies within 1..1000 permille")
        if state.stored_uj < 0 or state.carbon_ug < 0:
            raise ValueError("a pool cannot hold less than nothing")
        self.capacity_uj = capacity_wh * UJ_PER_WH
        self.eta_charge_permille = eta_charge_permille
        self.eta_discharge_permille = eta_discharge_permille
        self.stored_uj = state.stored_uj
        self.carbon_ug = state.carbon_ug

    def freeze_state(self) -> PoolState:
        return PoolState(self.stored_uj, self.carbon_ug)

    def charge(self, charge_mj: int, carbon_ug: int) -> None:
        """`charge_mj` at the AC side with all the carbon that came with it."""
        self.stored_uj += charge_mj * self.eta_charge_permille
        self.carbon_ug += carbon_ug

    def discharge(self, discharge_mj: int) -> int:
        """Takes what delivers `discharge_mj` at the AC side; returns the carbon that leaves, ug.

        More than is inside takes everything: the surplus shows that S was wrong, and its carbon was booked long ago.
        """
        if discharge_mj <= 0:
            return 0
        wanted_uj = discharge_mj * 1_000_000 // self.eta_discharge_permille
        taken_uj = min(wanted_uj, self.stored_uj)
        out_ug = self.carbon_ug if taken_uj == self.stored_uj else self.carbon_ug * taken_uj // self.stored_uj
        self.stored_uj -= taken_uj
        self.carbon_ug -= out_ug
        return out_ug

    def true_up(self, soc_cpct: int) -> int:
        """S := SOC * capacity where they differ by more than 2 % of the capacity; returns the change of S, uJ."""
        by_soc_uj = self.capacity_uj * max(0, min(soc_cpct, 10_000)) // 10_000
        change_uj = by_soc_uj - self.stored_uj
        if abs(change_uj) * 1000 <= self.capacity_uj * TRUE_UP_PERMILLE:
            return 0
        self.stored_uj = by_soc_uj
        return change_uj

    def expense_residual(self) -> int:
        """Call after S fell: below 1 % of the capacity all carbon left is storage loss; returns it, ug."""
        if self.stored_uj * 1000 >= self.capacity_uj * EMPTY_PERMILLE:
            return 0
        loss_ug, self.carbon_ug = self.carbon_ug, 0
        return loss_ug

    def delivered_mg_per_kwh(self) -> int | None:
        """What one delivered kWh would carry now (M/S/eta_d); None when the pool is empty."""
        if self.stored_uj <= 0:
            return None
        return self.carbon_ug * UG_UJ_PER_MG_KWH * 1000 // (self.stored_uj * self.eta_discharge_permille)


def choose_opening(capacity_wh: int, soc_cpct: int, intensity_mg_per_kwh: int) -> PoolState:
    """The first content of a pack whose past nobody metered: SOC * capacity at a (conservative) intensity."""
    stored_uj = capacity_wh * UJ_PER_WH * max(0, min(soc_cpct, 10_000)) // 10_000
    return PoolState(stored_uj, stored_uj * intensity_mg_per_kwh // UG_UJ_PER_MG_KWH)
