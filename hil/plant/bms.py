"""The battery's own protection: current limits, alarms, trips, contactor with precharge, its comm-loss timer.

Level 1 asks the EMS to stop and clears by itself; level 2 opens the contactor and stays until the cause is gone and
`clear` or `disconnect` is given. After comm loss the limits go to 0 until a request is heard: an assumption, since the
source of the modelled BMS does not say what happens.
"""

from typing import Literal

from hil.plant.pack import Pack

PRECHARGE_S = 2.0  # typical for 800 V racks: RC of the DC link times five, plus relay times
CHARGE_RATE_MAX = 0.6  # of capacity per hour
DISCHARGE_RATE_MAX = 0.7
SOC_FULL, SOC_EMPTY = 0.985, 0.03
# (cell volts high, low, deg C high, low for charging): typical LFP data sheet values; level 2 one step further.
LEVEL_1 = (3.60, 2.85, 50.0, 0.0)
LEVEL_2 = (3.65, 2.60, 58.0, -10.0)
OVERCURRENT_1, OVERCURRENT_1_S = 1.10, 2.0
OVERCURRENT_2, OVERCURRENT_2_S = 1.30, 10.0
OVERCURRENT_A = 2.0  # below the offset of a shunt nobody trips

ContactorState = Literal["open", "precharge", "closed"]


class Bms:
    """Protection of one pack. `step` after the pack's own step."""

    __slots__ = (
        "_charge_a", "_discharge_a", "_heard_age_s", "_over_s", "_precharge_s", "alarm_names", "charge_limit_a", "comm_lost",
        "comm_timeout_s", "contactor", "discharge_limit_a", "empty", "forced_alarms", "forced_trips", "full", "pack",
        "trip_names",
    )  # fmt: skip

    def __init__(self, pack: Pack, connected: bool = True) -> None:
        self.pack = pack
        capacity_ah = pack.capacity_as / 3600
        self._charge_a, self._discharge_a = CHARGE_RATE_MAX * capacity_ah, DISCHARGE_RATE_MAX * capacity_ah
        self.contactor: ContactorState = "closed" if connected else "open"
        self.charge_limit_a = self.discharge_limit_a = 0.0
        self.alarm_names: set[str] = set()
        self.trip_names: set[str] = set()  # latched
        self.forced_alarms: set[str] = set()  # by a fault
        self.forced_trips: set[str] = set()
        self.full = self.empty = False
        self.comm_timeout_s = 0.0  # 0: off, until somebody sets it
        self.comm_lost = False
        self._heard_age_s = self._precharge_s = self._over_s = 0.0
        self.step(1e-9)

    @property
    def connected(self) -> bool:
        return self.contactor == "closed"

    def connect(self) -> None:
        """Starts the precharge, unless a trip is latched."""
        if self.contactor == "open" and not self.trip_names:
            self.contactor, self._precharge_s = "precharge", 0.0

    def disconnect(self) -> None:
        self.contactor = "open"
        self.clear()

    def clear(self) -> None:
        """Forgets latched trips whose cause is gone; the next step finds the others again."""
        self.trip_names.clear()

    def hear(self) -> None:
        """A valid request arrived."""
        self._heard_age_s = 0.0
        self.comm_lost = False

    def set_comm_timeout_s(self, timeout_s: float) -> None:
        self.comm_timeout_s = timeout_s

    def step(self, dt_s: float) -> None:
        pack = self.pack
        low_v, high_v = pack.cell_voltage_min_v, pack.cell_voltage_max_v
        low_c, high_c, soc = pack.cell_temp_min_c, pack.cell_temp_max_c, pack.soc
        if self.comm_timeout_s:
            self._heard_age_s += dt_s
            self.comm_lost = self._heard_age_s > self.comm_timeout_s
        if self.contactor == "precharge":
            self._precharge_s += dt_s
            if self._precharge_s >= PRECHARGE_S:
                self.contactor = "closed"
        charge, discharge = self._charge_a, self._discharge_a
        if not (0.1 < soc < 0.9 and high_v < 3.40 and low_v > 3.10 and low_c > 12.0 and high_c < 42.0):
            common = _part(50.0 - high_c, 8.0)
            charge *= common * _part(SOC_FULL + 0.005 - soc, 0.08) * _part(3.55 - high_v, 0.12) * _part(low_c, 12.0)
            discharge *= common * _part(soc - SOC_EMPTY, 0.06) * _part(low_v - 2.90, 0.15) * _part(low_c + 15.0, 15.0)
        # Hysteresis: full until 3 % lower, empty until 3 % higher.
        self.full = soc >= SOC_FULL or high_v >= 3.58 or (self.full and soc > SOC_FULL - 0.03)
        self.empty = soc <= SOC_EMPTY or low_v <= 2.88 or (self.empty and soc < SOC_EMPTY + 0.03)
        if self.comm_lost or self.contactor != "closed":
            charge = discharge = 0.0
        self.charge_limit_a = 0.0 if self.full else charge
        self.discharge_limit_a = 0.0 if self.empty else discharge
        if (
            high_v > 3.55 or low_v < 2.90 or high_c > 45.0 or low_c < 5.0 or self._over_s or self.alarm_names
            or self.forced_alarms or self.forced_trips or self._is_over()
        ):  # fmt: skip
            self._judge(dt_s)
        if self.trip_names:
            self.contactor = "open"

    def _is_over(self) -> bool:
        current_a = self.pack.current_a
        if current_a >= 0.0:
            return current_a > OVERCURRENT_1 * self.discharge_limit_a + OVERCURRENT_A
        return -current_a > OVERCURRENT_1 * self.charge_limit_a + OVERCURRENT_A

    def _judge(self, dt_s: float) -> None:
        self._over_s = self._over_s + dt_s if self._is_over() else 0.0
        alarms = self._beyond(LEVEL_1) | self.forced_alarms
        trips = self._beyond(LEVEL_2) | self.forced_trips
        if self._over_s > OVERCURRENT_1_S:
            alarms.add("current")
        current_a = self.pack.current_a
        limit_a = self.discharge_limit_a if current_a > 0.0 else self.charge_limit_a
        if self._over_s > OVERCURRENT_2_S and abs(current_a) > OVERCURRENT_2 * limit_a + OVERCURRENT_A:
            trips.add("current")
        self.alarm_names = alarms
        self.trip_names |= trips

    def _beyond(self, limits: tuple[float, float, float, float]) -> set[str]:
        high_v, low_v, high_c, low_c = limits
        pack = self.pack
        found = set()
        if pack.cell_voltage_max_v > high_v:
            found.add("cell_voltage_high")
        if pack.cell_voltage_min_v < low_v:
            found.add("cell_voltage_low")
        if pack.cell_temp_max_c > high_c:
            found.add("temp_high")
        if pack.cell_temp_min_c < low_c and pack.current_a < -OVERCURRENT_A:
            found.add("temp_low")
        return found


def _part(distance: float, width: float) -> float:
    """1 far away from a limit, falling linearly to 0 at it."""
    return 0.0 if distance <= 0.0 else 1.0 if distance >= width else distance / width
