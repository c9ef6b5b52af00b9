"""Any site on its own simulated buses in virtual time, kept as busy as it can be, and what became of the promises."""

import asyncio
import random
from dataclasses import dataclass, field

from edge.app import bus_devices
from edge.config.options import Config, Port
from edge.config.reader import parse_config
from edge.field.budget import BudgetRow, budget
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.rtu import Answer, Expect, read_request
from edge.model import Outcome, Reading
from hil.assembly import build_site, build_slaves, unit_specs
from hil.plant.site import SiteSpec
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from hil.wire import WirePort

SETTLED_S = 4.0  # who is who, and the watchdogs are armed


def site_of(ports: dict[str, dict[str, object]], devices: list[tuple[str, str, str]], **tables: object) -> Config:
    """Ports by name, devices as (use, profile, port): PCS and BMS of the same number are a unit."""
    names = [f"{use}{sum(other == use for other, _, _ in devices[:n]) + 1}" for n, (use, _, _) in enumerate(devices)]
    units = [
        {"pcs": f"pcs{n}", "bms": f"bms{n}", "capacity_wh": 60_000, "cell_count": 240, "power_charge_max_w": 30_000,
         "power_discharge_max_w": 30_000}
        for n in range(1, 1 + sum(name.startswith("pcs") for name in names))
    ]  # fmt: skip
    return parse_config(
        {
            "schema": 1,
            "site": {"id": "x"},
            "limits": {"import_max_w": 80_000},
            "port": [{"name": name, "path": f"/dev/{name}", **words} for name, words in ports.items()],
            "device": [
                {"name": name, "profile": profile, "port": port, "address": n + 1, "use": use}
                for n, (name, (use, profile, port)) in enumerate(zip(names, devices, strict=True))
            ],
            "unit": units,
            **tables,
        },
        "x.toml",
    )


@dataclass
class Seen:
    """The worst of each row, in ms, beside what was promised."""

    promised: dict[tuple[str, str], int] = field(default_factory=dict)
    reached: dict[tuple[str, str], float] = field(default_factory=dict)
    failed_count: int = 0

    def note(self, key: tuple[str, str], time_ms: float) -> None:
        self.reached[key] = max(self.reached.get(key, 0.0), time_ms)

    def ratios(self) -> dict[tuple[str, str], float]:
        return {key: self.reached.get(key, 0.0) / promised for key, promised in self.promised.items()}


class Traffic:
    """One site: every value changes whenever it may, commands and questions come at any time."""

    def __init__(self, config: Config, seed: int, clock: VirtualClock, spread_s: float, only: str) -> None:
        """`spread_s`: within which all reads are due for the first time; 0 puts them all on one moment, again and again."""
        self.config, self.rng, self.loop = config, random.Random(seed), asyncio.get_running_loop()
        self.devices = bus_devices(config)
        # Each may be refused once: a device that has nothing in the hole says so, and is read block by block from then on.
        self._joined_count = sum(len(poll.parts) > 1 for device in self.devices for poll in device.polls)
        self.seen = Seen()
        for row in budget(config, self.devices):
            if only in ("", row.port):
                self._promise(row)
        self._taken_s: dict[tuple[str, str], float] = {}
        self._set_s: dict[tuple[int, int, int], tuple[float, int]] = {}  # (address, register) -> when, raw
        self._questions: dict[int, asyncio.Future[Answer]] = {}
        self._last_s: dict[tuple[int, int, int], float] = {}
        site = build_site(config, SiteSpec(units=unit_specs(config)), seed)
        slaves = build_slaves(config, site)
        self.buses: dict[int, Bus] = {}
        for index, port in enumerate(config.port):
            if only in ("", port.name) and self._on(port):
                line = WirePort(port.name, port.baud, slaves[port.name], parity=port.parity, stopbits=port.stopbits)
                self.buses[index] = Bus(index, port, line, self._on(port), clock, self._note, self._sent)
        for device in self.devices:  # any phase may come about
            for poll in device.polls:
                poll.due_s = self.rng.uniform(0, min(poll.period_s, spread_s))

    def _on(self, port: Port) -> list[BusDevice]:
        return [device for device in self.devices if device.settings.port == port.name]

    def _promise(self, row: BudgetRow) -> None:
        for block in row.blocks:
            self.seen.promised[row.device, block] = row.age_max_ms
        if row.latency_max_ms:
            self.seen.promised[row.device, row.what] = row.latency_max_ms

    def _note(self, reading: Reading) -> None:
        """How old the reading before this one had become."""
        key = (reading.device, reading.block)
        if self.loop.time() > SETTLED_S and key in self._taken_s:
            self.seen.note(key, 1000 * self.loop.time() - self._taken_s[key])
        self._taken_s[key] = reading.taken_mono_ms

    def _sent(self, port_index: int, address: int, fc: int, register: int, count: int, raw: int) -> bool:
        since_s, wanted = self._set_s.pop((port_index, address, register), (0.0, raw))
        if since_s > SETTLED_S and wanted == raw:
            device = next(d for d in self._on(self.config.port[port_index]) if d.settings.address == address)
            box = next(box for box in device.boxes.values() if box.write.addr == register)
            self.seen.note((device.name, f"write {box.write.name}"), 1000 * (self.loop.time() - since_s))
        return True

    async def _press(self) -> None:
        """What a controller and a technician can ask for, at their worst: all of it just as some read becomes due."""
        rng = self.rng
        polls = [poll for device in self.devices for poll in device.polls if poll.priority < 4]
        while True:
            target_s = rng.choice(polls).due_s - rng.uniform(0, 0.003)
            now_s = self.loop.time()
            await asyncio.sleep(target_s - now_s if target_s > now_s else rng.uniform(0.0005, 0.01))
            for _ in range(rng.choice([1, 20])):
                self._ask_all()
                await asyncio.sleep(0.002)

    def _ask_all(self) -> None:
        for index, bus in self.buses.items():
            devices = self._on(self.config.port[index])
            for device in devices:
                self._set(index, bus, device)
                if device.commands and not device.command:
                    bus.command(device.name, self.rng.choice(list(device.commands)))
            if index not in self._questions or self._questions[index].done():
                self._questions[index] = self._ask(bus, self.rng.choice(devices))

    def _set(self, index: int, bus: Bus, device: BusDevice) -> None:
        """A new value where the old one is out, at most one a cycle."""
        now_s = self.loop.time()
        for name, box in device.boxes.items():
            key = (index, device.settings.address, box.write.addr)
            if key in self._set_s or now_s - self._last_s.get(key, -1.0) < self.config.site.cycle_ms / 1000:
                continue
            middle = (box.write.min + box.write.max) // 2
            was_high = box.value is not None and box.value > middle
            low, high = (box.write.min, middle - 100) if was_high else (middle + 100, box.write.max)
            bus.set_value(device.name, name, self.rng.randrange(low, high))  # never what is on its way
            assert box.wanted is not None
            self._set_s[key], self._last_s[key] = (now_s, box.wanted.raw), now_s

    def _ask(self, bus: Bus, device: BusDevice) -> "asyncio.Future[Answer]":
        block = max(device.profile.blocks, key=lambda block: block.count)
        count = min(16, block.count)
        return bus.ask(device.name, Expect(read_request(device.settings.address, block.fc, block.start, count)))

    async def run(self, seconds: float) -> Seen:
        tasks = [asyncio.create_task(bus.run()) for bus in self.buses.values()]
        tasks.append(asyncio.create_task(self._press()))
        await asyncio.sleep(seconds)
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        refused_count = sum(device.outcome_counts[Outcome.EXCEPTION] for device in self.devices)
        failed_count = sum(sum(device.outcome_counts[1:]) for device in self.devices)
        self.seen.failed_count = failed_count - min(refused_count, self._joined_count)
        return self.seen


def traffic(config: Config, seed: int, seconds: float, spread_s: float = 100.0, port: str = "") -> Seen:
    """`port`: only this one."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> Seen:
        return await Traffic(config, seed, clock, spread_s, port).run(seconds)

    return run_virtual(main)
