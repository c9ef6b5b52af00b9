"""A site to torture: the plant on PTYs in this process, `edge run` as another that can be killed, asked at its console.

The plant goes on while the controller is dead, as a real one does.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from edge.clock import SystemClock
from hil.assembly import build_site, build_slaves, unit_specs
from hil.demo.site import demo_tables, example_config, render
from hil.plant.site import SiteSpec
from hil.pty import PtyBus

PLANT_STEP_S = 0.02
START_S = 60.0  # a busy machine
ASK_S = 2.0
LOOK_S = 0.02


class LiveSite:
    """One site in `folder`; its store is in `store`, which may be a disk of its own."""

    def __init__(self, folder: Path, broker_port: int, *, store: Path | None = None, sync_ms: int = 2_000) -> None:
        self.folder, self.store = folder, store or folder / "store"
        config = example_config()
        self._plant = build_site(config, SiteSpec(units=unit_specs(config)), 1)
        slaves = build_slaves(config, self._plant)
        self._buses = {p.name: PtyBus(p.name, p.baud, slaves[p.name], before=self._move) for p in config.port}
        self._clock = SystemClock()
        self._start_us, self._moved_s = self._clock.mono_us(), 0.0
        self._broker_port, self._sync_ms = broker_port, sync_ms
        self.process: asyncio.subprocess.Process | None = None
        self.start_count = 0

    def _move(self) -> None:
        now_s = (self._clock.mono_us() - self._start_us) / 1e6
        while now_s - self._moved_s >= PLANT_STEP_S:
            self._plant.step(PLANT_STEP_S)
            self._moved_s += PLANT_STEP_S

    @contextlib.asynccontextmanager
    async def plant(self) -> AsyncIterator["LiveSite"]:
        """The devices answer, and a site file says where; the controller does not run yet."""
        for bus in self._buses.values():
            bus.start()
        tables = demo_tables(
            self.folder, {name: bus.path for name, bus in self._buses.items()}, self._broker_port, {"kind": "none"}
        )
        tables["store"] = {"path": str(self.store), "sync_ms": self._sync_ms}
        tables["cloud"]["backfill_per_s"] = 50
        if not self._broker_port:
            del tables["cloud"]
        (self.folder / "site.toml").write_text(render(tables))
        try:
            yield self
        finally:
            await self.kill()
            for bus in self._buses.values():
                bus.stop()

    async def start(self, *before: str) -> None:
        """The controller; `before` are words in front of its command."""
        command = [*before, sys.executable, "-m", "edge", "run", "-c", str(self.folder / "site.toml")]
        with (self.folder / "edge.log").open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.start_count += 1

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        return await asyncio.wait_for(process.wait(), START_S)

    async def ask(self, word: str = "show status") -> Any:
        """The answer of the console as data; an empty dict when there is none."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.folder / "console.sock"))
        except OSError:
            return {}
        try:
            writer.write(f"{word} --json\n".encode())
            raw = await asyncio.wait_for(reader.readline(), ASK_S)
            return json.loads(raw).get("data") or {}
        except (TimeoutError, ValueError, OSError):
            return {}
        finally:
            writer.close()

    async def events(self) -> set[str]:
        """The names of what happened last."""
        found = await self.ask("events 200")
        return {event["name"] for event in found} if isinstance(found, list) else set()

    async def until(self, limit_s: float = START_S, **uplink: int) -> dict[str, Any]:
        """Waits until each of these counts of the uplink is reached; the last look, whether or not they were."""
        end_s = time.monotonic() + limit_s
        while True:
            seen: dict[str, Any] = await self.ask()
            counts = seen.get("uplink", {})
            if all(counts.get(name, -1) >= count for name, count in uplink.items()) or time.monotonic() > end_s:
                return seen
            await asyncio.sleep(LOOK_S)

    def log_text(self) -> str:
        return (self.folder / "edge.log").read_text(errors="replace")


async def start_process(command: Sequence[str], log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
