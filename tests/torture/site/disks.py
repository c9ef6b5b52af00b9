"""Disks that fill up, turn read-only, or answer EIO under the running controller: control must not notice.

The plant is controlled all the time: cycles run, none late for it, the console answers, samples are counted, and an event
says what is wrong. Where the disk comes back, everything is written to it.
"""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.store.mounts import fill_up, tmpfs
from tests.torture.cuts import ext4, mounted, shut_down
from tests.torture.replay import Tally
from tests.torture.site.live import LiveSite
from tests.torture.site.oracle import read_ring

WELL_S, AGAIN_S = 5, 5
CYCLES_MIN = 0.95  # of those that should have run
LATE_MORE_MAX = 0.25  # of the cycles may be late (5 ms) beyond the share of before: others use this machine as well
Look = dict[str, Any]
STRACE = shutil.which("strace") or ""


@dataclass(slots=True)
class Sick:
    """A disk at `store`, what makes it sick, what makes it well again (nothing does: None), words before the command."""

    store: Path
    hurt: Callable[[], None] = lambda: None
    heal: Callable[[], None] | None = lambda: None
    before: tuple[str, ...] = ()
    at_start: bool = False  # it is sick before the controller starts
    told: bool = True  # in the status: a fault that is over within a second need not be seen there
    noted: bool = True  # as an event: a full disk that the reserve and the rings' own blocks make up for is none
    late_shares: list[float] = field(default_factory=list)  # of the cycles, well and sick


async def _try(folder: Path, sick: Sick, sick_s: int, tally: Tally) -> None:
    site = LiveSite(folder, 0, store=sick.store)
    async with site.plant():
        if sick.at_start:
            sick.hurt()
        await site.start(*sick.before)
        started = await site.until(stored_count=2)
        await site.until(stored_count=WELL_S)
        before = await site.ask()
        if not sick.at_start:
            sick.hurt()
        faults = set[str]()
        for _ in range(sick_s):
            await asyncio.sleep(1)
            seen = await site.ask()
            tally.failed_count += not seen  # the console does not answer
            faults.add(seen.get("uplink", {}).get("store_fault", ""))
        after = await site.ask()
        tally.failed_count += sick.told and not faults - {""}
        tally.failed_count += sick.noted and "store.fault" not in await site.events()
        sick.late_shares += [_late_share(started, before), _late_share(before, after)]
        _judge_control(before, after, sick.late_shares, tally)
        if sick.heal is not None:
            sick.heal()
            await asyncio.sleep(AGAIN_S)
            after = await site.ask()
            tally.failed_count += bool(after["uplink"]["store_fault"])
        tally.failed_count += await site.stop() != 0
        if sick.heal is not None:
            held = {seq for _, seq in read_ring(sick.store / "telemetry")}
            tally.lost_count += max(0, after["uplink"]["stored_count"] - len(held))
    tally.cut_count += 1


def _late_share(before: Look, after: Look) -> float:
    return float((after["late_count"] - before["late_count"]) / max(1, after["cycle_count"] - before["cycle_count"]))


def _judge_control(before: Look, after: Look, late_shares: list[float], tally: Tally) -> None:
    """Between two looks: every cycle ran and was in time, and each second made a sample."""
    passed_ms = after["mono_ms"] - before["mono_ms"]
    cycles = after["cycle_count"] - before["cycle_count"]
    tally.failed_count += cycles < CYCLES_MIN * passed_ms / 100 or late_shares[1] > late_shares[0] + LATE_MORE_MAX
    tally.failed_count += after["mode"] != "RUN"
    samples = after["uplink"]["stored_count"] - before["uplink"]["stored_count"]
    tally.lost_count += samples < passed_ms // 1_000 - 2


@contextlib.contextmanager
def _full(folder: Path) -> Iterator[Sick]:
    """A tmpfs that others fill to the last byte, and leave again: nobody is the worse for it."""
    with tmpfs(folder / "disk", "24m") as disk:
        others = disk / "others"
        yield Sick(disk / "store", lambda: fill_up(others), others.unlink, told=False, noted=False)


@contextlib.contextmanager
def _full_at_start(folder: Path) -> Iterator[Sick]:
    with tmpfs(folder / "disk", "24m") as disk:
        others = disk / "others"
        yield Sick(disk / "store", lambda: fill_up(others), others.unlink, at_start=True)


@contextlib.contextmanager
def _read_only(folder: Path) -> Iterator[Sick]:
    """ext4 that has aborted: read-only until it is mounted anew."""
    with ext4(folder) as image, mounted(image, folder / "mnt") as disk:
        yield Sick(disk / "store", lambda: _abort(disk), None)


def _abort(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=True)


@contextlib.contextmanager
def _gone(folder: Path) -> Iterator[Sick]:
    """A device that answers every call with EIO from now on."""
    with ext4(folder) as image, mounted(image, folder / "mnt") as disk:
        yield Sick(disk / "store", lambda: shut_down(disk), None)


Kind = Callable[[Path], contextlib.AbstractContextManager[Sick]]


def _injected(call: str, when: str) -> Kind:
    """EIO of the N-th such call of the process, once; or with N+ of all from there on."""

    @contextlib.contextmanager
    def sick(folder: Path) -> Iterator[Sick]:
        inject = f"inject={call}:error=EIO:when={when}"
        before = (STRACE, "-D", "-qq", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
        forever = when.endswith("+")
        yield Sick(folder / "store", heal=None if forever else lambda: None, before=before, told=forever)

    return sick


MOUNTED = {"full": _full, "full at the start": _full_at_start, "read-only": _read_only, "gone": _gone}
INJECTED = {
    f"{call} {when}": _injected(call, when)
    for call in ("fdatasync", "pwrite64") for when in ("6", "9", "6+", "9+")  # strace counts each thread for itself
}  # fmt: skip


def trials(folder: Path, kinds: Mapping[str, Kind], sick_s: int) -> Tally:
    """Each kind of sickness under a controller. The note says how many of its cycles were late, before and during it."""
    tally, notes = Tally(), list[str]()
    for name, kind in kinds.items():
        here = folder / name.replace(" ", "-")
        here.mkdir()
        with kind(here) as sick:
            bad_count = tally.failed_count + tally.lost_count
            asyncio.run(_try(here, sick, sick_s, tally))
            late = " -> ".join(f"{100 * share:.0f}" for share in sick.late_shares)
            marked = " (!)" if tally.failed_count + tally.lost_count > bad_count else ""
            notes.append(f"{name}{marked} {late}")
    tally.note = f"cycles late by more than 5 ms, well -> sick, %: {'; '.join(notes)}"
    return tally
