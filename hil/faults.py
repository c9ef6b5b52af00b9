"""Faults on a schedule: what goes wrong on the wire, in a device, and when. From TOML tables, reproducible by a seed.

A wire fault turns a right reply into what the master really gets; a plant fault trips or alarms a device for as long as
it lasts. Nothing of the master is known here. Times count from the box's `start_s` (of the loop).
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from edge.errors import ConfigFault, Problem
from edge.roles import FLAGS
from hil.framing import sealed
from hil.plant.bms import Bms
from hil.plant.pcs import Pcs
from hil.plant.pv import Pv
from hil.plant.site import Contacts

Arrivals = list[tuple[float, bytes]]  # (seconds after the slave's turnaround, bytes)
Limits = tuple[float, float, float]  # default, lowest, highest
FOREVER_S = math.inf
INJECTED = "injected"  # the cause's name inside the device

_CHANCE = {"chance": (1.0, 0.0, 1.0)}  # that it strikes one request
SILENT: dict[str, dict[str, Limits]] = {  # the device hears nothing either, so that its own comm-loss timer runs
    "silence": _CHANCE,
    "meter_loss": _CHANCE,  # silence, by the name that a scenario wants
    "bus_cut": {},  # `device` is the name of a port
}
SPOILING: dict[str, dict[str, Limits]] = {
    "late": {"delay_s": (0.5, 0.0, 60.0)} | _CHANCE,
    "bad_crc": _CHANCE,
    "wrong_unit": {"address": (0.0, 0.0, 247.0)} | _CHANCE,  # 0: the next address
    "wrong_function": {"function": (0.0, 0.0, 127.0)} | _CHANCE,  # 0: 3 for 4, 4 for 3
    "truncated": {"keep_bytes": (4.0, 1.0, 255.0)} | _CHANCE,
    "noise_prefix": {"noise_bytes": (3.0, 1.0, 200.0)} | _CHANCE,
    "echo": _CHANCE,
    "frozen": {},  # reads repeat what they said first; writes still act
}
PLANT: dict[str, dict[str, Limits]] = {
    "pcs_trip": {}, "pcs_estop": {}, "pcs_local": {}, "bms_alarm": {}, "bms_trip": {}, "pv_fault": {},
    **{f"io_{flag}": {} for flag in FLAGS["io"]},  # a contact of the remote I/O says it
}  # fmt: skip
PARAMS = SILENT | SPOILING | PLANT


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one device (for bus_cut: of one port) from at_s for for_s."""

    device: str
    kind: str  # a key of PARAMS
    at_s: float
    for_s: float = FOREVER_S
    params: Mapping[str, float] = field(default_factory=dict)

    def is_on(self, now_s: float) -> bool:
        return self.at_s <= now_s < self.at_s + self.for_s

    def param(self, name: str) -> float:
        return self.params.get(name, PARAMS[self.kind][name][0])


class FaultBox:
    """All faults of a run. Ports ask `hears` and `shape`, whoever moves the plant calls `act`."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 1, start_s: float = 0.0) -> None:
        self.start_s = start_s
        self._rng: dict[str, Random] = {}  # a stream for each device, whatever the others ask
        self._silent: dict[str, list[Fault]] = {}
        self._spoiling: dict[str, list[Fault]] = {}
        self._coming: list[Fault] = []  # of the plant, by time
        self._live: list[Fault] = []
        self._frozen: dict[str, dict[bytes, bytes]] = {}
        for fault in sorted(faults, key=lambda f: f.at_s):
            if fault.kind in PLANT:
                self._coming.append(fault)
                continue
            self._rng.setdefault(fault.device, Random(f"{seed}-{fault.device}"))
            kinds = self._silent if fault.kind in SILENT else self._spoiling
            kinds.setdefault(fault.device, []).append(fault)

    def hears(self, device: str, now_s: float) -> bool:
        """False while no request reaches the device, or by its name the bus."""
        faults = self._silent.get(device)
        if faults is None:
            return True
        now_s -= self.start_s
        return not any(fault.is_on(now_s) and self._strikes(fault) for fault in faults)

    def shape(self, device: str, request: bytes, reply: bytes, now_s: float) -> Arrivals:
        """What the master gets instead of `reply`, and how much later."""
        faults = self._spoiling.get(device)
        if faults is None:
            return [(0.0, reply)]
        now_s -= self.start_s
        delay_s, is_frozen = 0.0, False
        for fault in faults:
            if not fault.is_on(now_s) or not self._strikes(fault):
                continue
            if fault.kind == "frozen":
                is_frozen = True
                if request[1] in (3, 4):
                    reply = self._frozen.setdefault(device, {}).setdefault(request, reply)
            elif fault.kind == "late":
                delay_s += fault.param("delay_s")
            else:
                reply = self._spoil(fault, request, reply)
        if not is_frozen:
            self._frozen.pop(device, None)
        return [(delay_s, reply)]

    def act(self, devices: Mapping[str, Pcs | Bms | Pv | Contacts], now_s: float) -> None:
        """Begins and ends plant faults; while one lasts, its device comes to it again after any clear."""
        now_s -= self.start_s
        for fault in self._live:
            _act(fault, devices.get(fault.device), fault.is_on(now_s))
        self._live = [fault for fault in self._live if fault.is_on(now_s)]
        while self._coming and self._coming[0].at_s <= now_s:  # even the shortest is seen once
            fault = self._coming.pop(0)
            _act(fault, devices.get(fault.device), True)
            self._live.append(fault)

    def _strikes(self, fault: Fault) -> bool:
        chance = fault.params.get("chance", 1.0)
        return chance >= 1.0 or self._rng[fault.device].random() < chance

    def _spoil(self, fault: Fault, request: bytes, reply: bytes) -> bytes:
        match fault.kind:
            case "bad_crc":
                at, rng = self._rng[fault.device].randrange(len(reply)), self._rng[fault.device]
                return reply[:at] + bytes((reply[at] ^ 1 << rng.randrange(8),)) + reply[at + 1 :]
            case "wrong_unit":
                address = int(fault.param("address")) or reply[0] % 247 + 1
                return sealed(bytes((address,)) + reply[1:-2])
            case "wrong_function":
                function = int(fault.param("function")) or reply[1] ^ 7
                return sealed(bytes((reply[0], function)) + reply[2:-2])
            case "truncated":
                return reply[: min(int(fault.param("keep_bytes")), len(reply) - 1)]
            case "noise_prefix":
                return self._rng[fault.device].randbytes(int(fault.param("noise_bytes"))) + reply
            case _:  # echo: a two-wire adapter that hears itself
                return request + reply


def _act(fault: Fault, device: Pcs | Bms | Pv | Contacts | None, is_on: bool) -> None:
    match fault.kind, device:
        case "pcs_trip", Pcs():
            if is_on and INJECTED not in device.fault_names:
                device.trip(INJECTED)
        case "pcs_estop", Pcs():
            if device.estop != is_on:
                device.set_estop(is_on)
        case "pcs_local", Pcs():
            device.local = is_on
        case "bms_alarm" | "bms_trip", Bms():
            causes = device.forced_alarms if fault.kind == "bms_alarm" else device.forced_trips
            (causes.add if is_on else causes.discard)(INJECTED)
        case "pv_fault", Pv():
            device.fault = is_on
        case kind, Contacts() if kind.startswith("io_"):
            device.say(kind.removeprefix("io_"), is_on)
        case _:
            raise ConfigFault([Problem("", "fault.device", fault.device, f"has no {fault.kind}")])


# ---- from a file


def load_faults(path: Path, devices: Mapping[str, str] | None = None) -> list[Fault]:
    """The [[fault]] tables of a TOML file. `devices`: name -> kind (pcs, bms, pv, meter, port), to check names."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("fault", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigFault([Problem(path.name, "fault", None, f"cannot be read: {error}")]) from error
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigFault([Problem(path.name, "fault", tables, "must be tables written as [[fault]]")])
    return parse_faults(tables, path.name, devices)


def parse_faults(
    tables: Sequence[Mapping[str, object]], file: str, devices: Mapping[str, str] | None = None
) -> list[Fault]:
    """Checked faults, or one ConfigFault with every problem."""
    problems: list[Problem] = []
    faults = [_parse(table, file, f"fault[{index}]", devices, problems) for index, table in enumerate(tables)]
    if problems:
        raise ConfigFault(problems)
    return faults


def _parse(
    table: Mapping[str, object], file: str, place: str, devices: Mapping[str, str] | None, problems: list[Problem]
) -> Fault:
    rest = dict(table)
    device, kind = rest.pop("device", None), rest.pop("kind", None)
    if not isinstance(kind, str) or kind not in PARAMS:
        problems.append(Problem(file, f"{place}.kind", kind, "must be one of " + ", ".join(PARAMS)))
        return Fault(str(device), "", 0.0)
    wanted = _wanted(kind)
    if not isinstance(device, str) or not device:
        problems.append(Problem(file, f"{place}.device", device, f"must be the name of a {' or '.join(wanted)}"))
    elif devices is not None and devices.get(device) not in wanted:
        names = ", ".join(name for name, what in devices.items() if what in wanted) or "nothing of this site"
        problems.append(Problem(file, f"{place}.device", device, f"must be one of {names}", f"as {kind} asks"))
    limits: dict[str, Limits] = {"at_s": (0.0, 0.0, 1e9), "for_s": (FOREVER_S, 0.0, FOREVER_S), **PARAMS[kind]}
    if "at_s" not in rest:
        problems.append(Problem(file, f"{place}.at_s", None, "is missing: seconds from the start"))
    numbers = {name: default for name, (default, _, _) in limits.items() if name in ("at_s", "for_s")}
    for name, value in rest.items():
        if name not in limits:
            known = ", ".join(("device", "kind", *limits))
            problems.append(Problem(file, f"{place}.{name}", value, f"is not known to {kind}", f"it has {known}"))
            continue
        _, low, high = limits[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            problems.append(Problem(file, f"{place}.{name}", value, f"must be a number, {low:g}..{high:g}"))
            continue
        numbers[name] = float(value)
    return Fault(str(device), kind, numbers.pop("at_s"), numbers.pop("for_s"), numbers)


def _wanted(kind: str) -> tuple[str, ...]:
    if kind == "bus_cut":
        return ("port",)
    if kind in PLANT:
        return (kind.split("_", maxsplit=1)[0],)
    return ("meter",) if kind == "meter_loss" else ("pcs", "bms", "pv", "meter", "io")
