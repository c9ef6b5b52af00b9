"""One unit's devices, which follow their orders after a moment, and with which nothing is wrong.

Rows are flat lists in the order of the header's structs.
"""

from random import Random
from typing import Any

from tests.kernel.oracle import records as r
from tests.kernel.oracle import words as w
from tests.kernel.oracle.words import UNKNOWN

U = {name: n for n, name in enumerate(r.UnitInput._fields)}
POWER, CURRENT, PCS_FLAGS, BMS_FLAGS = (U[name] for name in ("power_w", "pack_current_da", "pcs_flags", "bms_flags"))
HEARTBEAT, POWER_AT_POC = U["bms_heartbeat"], U["power_at_poc_w"]


class Plant:
    """One unit's devices, which follow orders after a moment."""

    __slots__ = ("beat", "beats", "connected", "row", "running")

    def __init__(self, rng: Random, c: Any) -> None:
        self.row = healthy_row(rng, c)
        self.beats, self.beat = rng.random() < 0.5, rng.randint(0, 9)
        self.connected = self.running = rng.random() < 0.5

    def follow(self, order: int) -> None:
        if order == w.ORDER_CONNECT:
            self.connected = True
        elif order == w.ORDER_START:
            self.running = True
        elif order == w.ORDER_STOP:
            self.running = False
        elif order == w.ORDER_OPEN:
            self.running = self.connected = False

    def measure(self, setpoint: int) -> list[int]:
        row = self.row[:]
        row[PCS_FLAGS] = w.PCS_GUARDED | (w.PCS_RUNNING if self.running else 0)
        row[BMS_FLAGS] = w.BMS_GUARDED | (w.BMS_CONNECTED if self.connected else 0)
        if self.running:
            row[POWER] = row[POWER_AT_POC] = setpoint
            limit = row[U["current_discharge_max_da"]] if setpoint > 0 else row[U["current_charge_max_da"]]
            row[CURRENT] = w.clamp(w.tdiv(setpoint * 100, row[U["pack_voltage_dv"]]), -limit, limit)
        row[HEARTBEAT] = self.beat if self.beats else UNKNOWN
        return row


def healthy_row(rng: Random, c: Any) -> list[int]:
    """A unit with which nothing is wrong, in the middle of its configuration."""
    row = [0] * len(U)
    pack = (c.pack_voltage_min_dv + c.pack_voltage_max_dv) // 2
    amps = min(100_000, max(c.power_charge_max_w, c.power_discharge_max_w) * 100 // pack + rng.choice((1, 50, 1_000)))
    cell = (c.cell_voltage_derate_low_mv + c.cell_voltage_derate_high_mv) // 2
    temp = (c.temp_charge_derate_low_dc + c.temp_charge_derate_high_dc) // 2
    soc = (max(c.soc_min_cpct, c.soc_reserve_cpct) + c.soc_max_cpct) // 2
    values = {
        "pcs_age_ms": rng.choice((0, c.pcs_age_max_ms)),
        "bms_age_ms": rng.choice((0, c.bms_age_max_ms)),
        "pcs_dc_voltage_dv": rng.choice((UNKNOWN, pack, pack + pack // 20, pack - max(pack // 20, 200))),
        "pack_voltage_dv": pack,
        "soc_cpct": w.clamp(soc + rng.choice((0, 0, -501, 500, 501)), 0, 10_000),
        "current_charge_max_da": amps,
        "current_discharge_max_da": amps,
        "cell_voltage_min_mv": cell,
        "cell_voltage_max_mv": cell,
        "cell_temp_min_dc": temp,
        "cell_temp_max_dc": temp,
        "insulation_kohm": rng.choice((UNKNOWN, c.insulation_warn_kohm)),
    }
    for name, value in values.items():
        row[U[name]] = value
    return row
