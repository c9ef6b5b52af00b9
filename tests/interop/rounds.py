"""Our bus against foreign slaves, round after round: every reading is compared, every setpoint must be read back.

A setpoint changes with each `write_every`-th reading, so an old answer cannot pass for a new one.
"""

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

from edge.clock import SystemClock
from edge.config import options
from edge.field.bus import Bus
from edge.field.device import BusDevice
from edge.field.line.port import TtyPort
from edge.field.profile import Profile
from edge.field.profiles.loader import read_profile
from edge.model import Outcome, Reading
from tests.interop.conftest import Row
from tests.interop.hub import Hub
from tests.interop.peers import HERE, slave

UNITS = {"libmodbus": 1, "modbus-serial": 2, "modbus-tk": 3}
OPTIONS = {"modbus-serial": ("2",)}  # a frame ends after 2 ms of silence, not after its 30
BAUD = 115_200
RUNNING = 2  # the flag in edge.roles
LIMIT_PER_ROUND_S = 0.3  # of one device; a round takes a tenth of it


def profile(gap_ms: int, *blocks: str) -> Profile:
    """peer.toml with this gap and only these blocks, read as fast as the gap permits."""
    whole = read_profile(HERE / "peer.toml")
    wanted = tuple(replace(block, period_ms=1) for block in whole.blocks if block.name in blocks)
    return replace(whole, blocks=wanted, link=replace(whole.link, min_gap_ms=gap_ms))


@contextlib.asynccontextmanager
async def on_line(
    slaves: Mapping[str, tuple[str, ...]], *, echo: bool = False
) -> AsyncIterator[tuple[Hub, dict[str, str]]]:
    """The line and the versions of these slaves, each started with its options."""
    hub = Hub(len(slaves), echo=echo)
    hub.start()
    try:
        async with contextlib.AsyncExitStack() as stack:
            yield (
                hub,
                {
                    name: await stack.enter_async_context(slave(name, path, UNITS[name], *options))
                    for (name, options), path in zip(slaves.items(), hub.paths[1:], strict=True)
                },
            )
    finally:
        hub.stop()


@dataclass(slots=True)
class Tally:
    """What one slave has answered."""

    unit: int
    device: BusDevice
    wanted_w: int = 0
    asked: int = 0  # transactions that went out, when the rounds were over
    answered: int = 0
    readings: int = 0  # of block "holding"
    wrong: list[Reading] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def note(self, row: Row, version: str, what: str) -> None:
        """Its line in the table."""
        right = self.answered - len(self.wrong)
        row(self.device.name, version, what, self.asked, right, statistics.median(self.latencies_ms or [0.0]))

    def expected(self, block: str) -> tuple[int, ...]:
        base = 1000 * self.unit
        if block == "input":
            return base + 510, (base + 513) << 16 | (base + 512)
        return RUNNING, base + 22, self.wanted_w if "power_set" in self.device.boxes else base + 30


class Rounds:
    """Runs a bus until every device was read `rounds` times, then writes the safe values and checks their echo."""

    def __init__(self, path: str, units: Mapping[str, int], rounds: int, kind: Profile, write_every: int = 1) -> None:
        settings = options.Port(name="interop", path=path, baud=BAUD)
        devices = [
            BusDevice(options.Device(name=name, profile="peer", port="interop", address=unit, use="pcs"), kind)
            for name, unit in units.items()
        ]
        self.bus = Bus(0, settings, TtyPort(settings), devices, SystemClock(), self._note, lambda *_: True)
        self.tallies = {device.name: Tally(device.settings.address, device) for device in devices}
        self._rounds, self._write_every = rounds, write_every
        self._done = asyncio.Event()
        self._silent = ""
        for tally in self.tallies.values():
            self._change(tally)

    def _change(self, tally: Tally) -> None:
        """Other values than before, and other ones at each slave; 32 bits that use both registers."""
        tally.wanted_w = 100 * tally.unit - 10_000 - tally.readings % 20_000
        values = {"power_set": tally.wanted_w, "reactive_set": 70_000 * tally.unit - tally.readings}
        for name in tally.device.boxes:
            self.bus.set_value(tally.device.name, name, values[name])

    def _note(self, reading: Reading) -> None:
        tally = self.tallies[reading.device]
        tally.latencies_ms.append(tally.device.latency_us / 1000)
        if reading.values != tally.expected(reading.block):
            tally.wrong.append(reading)
        if reading.block == "holding":
            tally.readings += 1
            if tally.readings % self._write_every == 0:
                self._change(tally)
        if all(one.readings >= self._rounds for one in self.tallies.values() if one.device.name != self._silent):
            self._done.set()

    def expect_silence(self, name: str) -> None:
        """This device is not there: nobody waits for its rounds nor for its safe values."""
        self._silent = name

    async def play(self) -> None:
        """Raises AssertionError when it takes much too long or the safe values are not echoed."""
        running, done = asyncio.create_task(self.bus.run()), asyncio.create_task(self._done.wait())
        limit_s = 5.0 + LIMIT_PER_ROUND_S * self._rounds * len(self.tallies)
        await asyncio.wait({running, done}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        for tally in self.tallies.values():
            tally.asked, tally.answered = tally.device.sent_count, tally.device.outcome_counts[Outcome.OK]
        running.cancel()
        done.cancel()
        await asyncio.wait({running, done})
        is_safe = await self.bus.shutdown()
        assert self._done.is_set(), f"not done after {limit_s:.0f} s: {self.words()}"
        assert is_safe or self._silent, "a safe value was not echoed"

    def assert_all_right(self) -> None:
        """Each transaction answered (the last may have been cut short), each value right, each write read back."""
        for name, tally in self.tallies.items():
            assert not tally.wrong, f"{name}: {tally.wrong[:3]}"
            assert tally.asked - tally.answered <= 1 and not tally.device.trust.failed_count, self.words()
            assert tally.device.guarded or tally.device.profile.watchdog is None, self.words()
            assert all(box.differ_count == 0 for box in tally.device.boxes.values()), self.words()

    def words(self) -> str:
        parts = []
        for name, tally in self.tallies.items():
            outcomes = ", ".join(
                f"{o.name} {n}" for o, n in zip(Outcome, tally.device.outcome_counts, strict=True) if n
            )
            parts.append(f"{name}: {tally.readings} rounds, {tally.asked} asked, {outcomes}, {len(tally.wrong)} wrong")
        return "; ".join(parts)
