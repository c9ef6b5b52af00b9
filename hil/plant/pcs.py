"""A bidirectional battery inverter: rating, losses, dead time and lag, states, its own comm-loss timer.

+ power discharges. The loss is drawn from the DC side while running: dc = ac + loss. In standby it draws nothing here
(its control supply is part of the site's overhead). After comm loss the setpoint is 0 W and a bit is set; the unit goes
on running, and the next setpoint clears it.
"""

from dataclasses import dataclass
from math import exp
from typing import Literal

PcsState = Literal["standby", "starting", "running", "fault"]
DC_UNDER_V = 500.0  # below this the DC side counts as absent


@dataclass(frozen=True, slots=True)
class PcsSpec:
    """97.6 % at full and 97 % at a third of the rating: data sheets of 30 kW class modules give 97-98 % peak."""

    rating_w: float = 30_000.0
    loss_standby_w: float = 120.0
    loss_linear: float = 0.010
    loss_quadratic: float = 0.010  # of the power, at rating
    dead_s: float = 0.050  # from the register to the modulator
    tau_s: float = 0.050
    ramp_w_per_s: float = 300_000.0
    start_s: float = 1.0  # soft start
    heatsink_k_per_w: float = 0.035
    heatsink_tau_s: float = 600.0


class Pcs:
    """State of one PCS. The site calls `ask` for the DC power, moves the pack and then calls `settle`."""

    __slots__ = (
        "_alpha", "_alpha_dt_s", "_dead_left_s", "_heard_age_s", "_pending_w", "_start_left_s", "_target_w", "ambient_c",
        "comm_lost", "comm_timeout_s", "dc_voltage_v", "estop", "fault_names", "heatsink_c", "local", "loss_w",
        "power_w", "reactive_var", "set_w", "spec", "state",
    )  # fmt: skip

    def __init__(self, spec: PcsSpec, ambient_c: float) -> None:
        self.spec = spec
        self.state: PcsState = "standby"
        self.fault_names: set[str] = set()
        self.power_w = self.loss_w = self.set_w = self.reactive_var = 0.0
        self.dc_voltage_v = 0.0
        self.comm_timeout_s = 60.0
        self.comm_lost = self.local = self.estop = False
        self.ambient_c = self.heatsink_c = ambient_c
        self._target_w = self._pending_w = 0.0
        self._dead_left_s = self._start_left_s = self._heard_age_s = 0.0
        self._alpha = self._alpha_dt_s = 0.0

    # ---- what the EMS does

    def set_power_w(self, power_w: float) -> None:
        """A written setpoint, clipped to the rating; feeds the comm-loss timer."""
        rating_w = self.spec.rating_w
        self.set_w = min(max(power_w, -rating_w), rating_w)
        self._heard_age_s = 0.0
        self.comm_lost = False
        if self.set_w != self._pending_w:
            if self._dead_left_s <= 0.0:
                self._dead_left_s = self.spec.dead_s
            self._pending_w = self.set_w

    def set_reactive_var(self, reactive_var: float) -> None:
        """Supplied at once: the modulator has no inertia that matters here."""
        self.reactive_var = reactive_var if self.state == "running" else 0.0
        self._heard_age_s = 0.0

    def set_comm_timeout_s(self, timeout_s: float) -> None:
        self.comm_timeout_s = timeout_s

    def start(self) -> None:
        """Soft start from standby; without a DC voltage the unit trips on under-voltage instead."""
        if self.state == "standby":
            if self.dc_voltage_v < DC_UNDER_V:
                self.trip("dc_under_voltage")
            else:
                self.state, self._start_left_s = "starting", self.spec.start_s

    def stop(self) -> None:
        if self.state in ("starting", "running"):
            self._stand_still("standby")

    def clear(self) -> None:
        """Leaves the fault state unless the cause is still there."""
        if self.state == "fault" and not self.estop:
            self.fault_names.clear()
            self.state = "standby"

    # ---- what happens to it

    def trip(self, name: str) -> None:
        self.fault_names.add(name)
        self._stand_still("fault")

    def set_estop(self, pressed: bool) -> None:
        self.estop = pressed
        if pressed:
            self.trip("estop")

    def _stand_still(self, state: PcsState) -> None:
        self.state = state
        self.power_w = self.loss_w = self.reactive_var = 0.0
        self._target_w = self._pending_w = self.set_w = 0.0
        self._dead_left_s = 0.0

    # ---- physics

    def ask(self, dt_s: float, dc_voltage_v: float) -> float:
        """DC power (+ out of the pack) wanted in this step."""
        self.dc_voltage_v = dc_voltage_v
        timeout_s = self.comm_timeout_s
        if timeout_s:
            age_s = self._heard_age_s = self._heard_age_s + dt_s
            if age_s > timeout_s and not self.comm_lost:
                self.comm_lost = True
                self.set_w = self._pending_w = self._target_w = 0.0
                self._dead_left_s = 0.0
        state = self.state
        if state == "running":
            if dc_voltage_v < DC_UNDER_V:
                self.trip("dc_under_voltage")
                return 0.0
            return self._regulate(dt_s)
        if state == "starting":
            self._start_left_s -= dt_s
            if dc_voltage_v < DC_UNDER_V:
                self.trip("dc_under_voltage")
            elif self._start_left_s <= 0.0:
                self.state = "running"
        self.power_w = self.loss_w = 0.0
        return 0.0

    def _regulate(self, dt_s: float) -> float:
        spec = self.spec
        if self._dead_left_s > 0.0:
            self._dead_left_s -= dt_s
            if self._dead_left_s <= 1e-9:
                self._target_w = self._pending_w
        else:
            self._target_w = self._pending_w
        if dt_s != self._alpha_dt_s:
            self._alpha_dt_s = dt_s
            self._alpha = 1.0 - exp(-dt_s / spec.tau_s)
        power_w = self.power_w
        change_w = (self._target_w - power_w) * self._alpha
        most_w = spec.ramp_w_per_s * dt_s
        if change_w > most_w:
            change_w = most_w
        elif change_w < -most_w:
            change_w = -most_w
        power_w += change_w
        self.power_w = power_w
        size_w = power_w if power_w >= 0.0 else -power_w
        self.loss_w = loss_w = spec.loss_standby_w + size_w * (
            spec.loss_linear + spec.loss_quadratic * size_w / spec.rating_w
        )
        return power_w + loss_w

    def settle(self, moved_w: float, dt_s: float) -> None:
        """What the DC side really gave; a collapsing pack takes AC power away. Heat follows the loss."""
        if self.state == "running" and moved_w < self.power_w + self.loss_w - 1e-6:
            self.power_w = moved_w - self.loss_w
            self.fault_names.add("dc_under_voltage")  # this step's power stays what it was; the next one is 0
            self.state = "fault"
        goal_c = self.ambient_c + self.spec.heatsink_k_per_w * self.loss_w
        part = dt_s / self.spec.heatsink_tau_s
        self.heatsink_c += (goal_c - self.heatsink_c) * (part if part < 1.0 else 1.0)
