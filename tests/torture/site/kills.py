"""kill -9 of the controller while it publishes, and of broker and ingest beside it, at random moments.

What must hold, however the lives end: a sample that left for the broker is in the ring; a sample that was in the ring at
a kill, is there at the end and in the fleet's database once, as it was; what the ingest has acknowledged is in its database,
whenever one looks.
"""

import asyncio
import random
import sys
import time
from pathlib import Path

from hil.demo.broker import find_broker
from tests.cloud.broker import Broker
from tests.torture.replay import Tally
from tests.torture.site.live import LiveSite, start_process
from tests.torture.site.oracle import Content, Key, Listener, read_fleet, read_ring

LIFE_S = (0.0, 5.0)  # of a controller, from its first answer on
LONG, LONG_S = 0.1, (11.0, 16.0)  # of the lives that are long enough to write down what was acknowledged
EARLY = 0.15  # of the lives that end while the process still starts
EARLY_S = 1.0
OTHERS = 0.3  # of the lives in which the broker is killed too; and as often the ingest. One of both in each long life
DOWN_S = 2.5  # long enough for a sample or two that nobody takes
DRAIN_S = 120.0


class Kills:
    """The rounds on one store."""

    def __init__(self, folder: Path, broker: Broker, seed: int) -> None:
        self._folder, self._broker = folder, broker
        self._site = LiveSite(folder, broker.port)
        self._fleet_file = folder / "fleet.db"
        self._listener = Listener(broker.port)
        self._rng = random.Random(seed)
        self._ingest: asyncio.subprocess.Process | None = None
        self._seen: dict[Key, Content] = {}  # of the ring, at some kill
        self.tally = Tally()
        self.broker_kill_count = self.ingest_kill_count = 0

    async def run(self, count: int) -> None:
        self._listener.start()
        await self._start_ingest()
        try:
            async with self._site.plant():
                for _ in range(count):
                    await self._life()
                await self._last_life()
        finally:
            await self._kill_ingest()
            self._listener.stop()

    async def _life(self) -> None:
        rng, site = self._rng, self._site
        await site.start()
        is_long = rng.random() < LONG
        life_s = rng.uniform(*(LONG_S if is_long else LIFE_S))
        which = rng.uniform(0, 2 * OTHERS if is_long else 1)
        others = asyncio.create_task(self._trouble(which, rng.uniform(0, max(life_s, LIFE_S[1]))))
        said_count = 0
        if not is_long and rng.random() < EARLY:
            await asyncio.sleep(rng.uniform(0, EARLY_S))
        else:
            seen = await site.until(stored_count=1)
            end_s = time.monotonic() + life_s
            said_count = int(seen.get("uplink", {}).get("stored_count", 0))
            self.tally.failed_count += not said_count
            while time.monotonic() < end_s:
                await asyncio.sleep(0.05)
                said_count = int((await site.ask()).get("uplink", {}).get("stored_count", said_count))
        await site.kill()
        self.tally.cut_count += 1
        await others
        self._judge(said_count)

    async def _trouble(self, which: float, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if which < OTHERS:
            self._broker.kill()
            self.broker_kill_count += 1
            await asyncio.sleep(self._rng.uniform(0, DOWN_S))
            self._broker.start()
        elif which < 2 * OTHERS:
            await self._kill_ingest()
            self.ingest_kill_count += 1
            self._judge_acks()
            await asyncio.sleep(self._rng.uniform(0, DOWN_S))
            await self._start_ingest()

    def _judge(self, said_count: int) -> None:
        """The ring as the killed controller left it."""
        ring = read_ring(self._site.store / "telemetry")
        heard, _ = self._listener.take_heard()
        self.tally.lost_count += len(self._seen.keys() - ring.keys()) + max(0, said_count - len(ring))
        self.tally.lost_count += len(heard.keys() - ring.keys())  # sent before it was stored
        self.tally.wrong_count += sum(ring[key] != content for key, content in self._seen.items() if key in ring)
        self.tally.wrong_count += sum(ring[key] != content for key, content in heard.items() if key in ring)
        self._seen |= ring

    def _judge_acks(self) -> None:
        """The database as a killed ingest left it: all that it ever acknowledged, of what is known to exist."""
        _, acked = self._listener.take_heard()
        held = read_fleet(self._fleet_file)
        promised = {key for key in self._seen if any(e == key[0] and a <= key[1] <= b for e, a, b in set(acked))}
        self.tally.lost_count += len(promised - held.keys())

    async def _last_life(self) -> None:
        """Nobody is killed any more: everything arrives."""
        await self._site.start()
        end_s = time.monotonic() + DRAIN_S
        while time.monotonic() < end_s:
            counts = (await self._site.ask()).get("uplink", {})
            if counts.get("stored_count", 0) and counts["acked_count"] == counts["stored_count"]:
                break
            await asyncio.sleep(0.1)
        else:
            self.tally.failed_count += 1
        self.tally.failed_count += await self._site.stop() != 0
        await asyncio.sleep(1.5)  # the ingest commits each second
        self._judge(0)
        self._judge_acks()
        held = read_fleet(self._fleet_file)
        self.tally.lost_count += len(self._seen.keys() - held.keys())
        self.tally.wrong_count += sum(held[key] != content for key, content in self._seen.items() if key in held)
        self.tally.wrong_count += len(held) - len({content[0] for content in held.values()})  # one second, two numbers
        self.tally.wrong_count += len({key[0] for key in held}) != 1 or self._listener.changed_count > 0
        self.tally.wrong_count += len(held.keys() - self._seen.keys())

    async def _start_ingest(self) -> None:
        command = [sys.executable, "-m", "edge.fleet", "ingest", "--sqlite", str(self._fleet_file)]
        command += ["--port", str(self._broker.port), "--retry-max-ms", "300"]
        self._ingest = await start_process(command, self._folder / "ingest.log")

    async def _kill_ingest(self) -> None:
        if self._ingest is not None:
            self._ingest.kill()
            await self._ingest.wait()
            self._ingest = None

    def text(self) -> str:
        """How much that was."""
        return (
            f"{self._site.start_count} lives, {len(self._seen)} samples; broker killed {self.broker_kill_count} times,"
            f" ingest {self.ingest_kill_count}"
        )


def kills(folder: Path, count: int, seed: int) -> Tally:
    """So many lives of the controller on one store, and one more in which everything arrives. Needs a broker."""
    program = find_broker()
    assert program is not None
    broker = Broker(folder, program)
    broker.start()
    rounds = Kills(folder, broker, seed)
    try:
        asyncio.run(rounds.run(count))
    finally:
        broker.kill()
    rounds.tally.note = rounds.text()
    return rounds.tally
