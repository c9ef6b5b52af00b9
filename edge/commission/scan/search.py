"""The search: listen first, then ask address by address at one setting after the other until somebody answers.

An exception is an answer: a device is there and does not know the register. A line that somebody else speaks on is left at
once, before and during the search. Only reads: see `ReadLine`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from edge.commission.line import Heard, ReadLine, right_frames
from edge.commission.scan.identity import Identity, who_is
from edge.commission.scan.settings import PROBE_FUNCTIONS, Plan, Setting, probe, probe_s
from edge.field.line.port import Port
from edge.field.profile import Profile

BUSY_BYTES = 4  # fewer are a spike of the line when a driver lets go of it, and no frame
AGAIN_S = 1.0  # how long is listened again once something came that nobody asked for
NOBODY_BEHIND = (10, 11)  # what a gateway says for an address that it has no device for
LATE_BYTES = (5, 7)  # a refusal of the probe, or its one register
LATE_TURNAROUND_S = 2.0  # for a device that was heard late: longer than any known one needs

Verdict = Literal["found", "nothing", "busy"]


@dataclass(frozen=True, slots=True)
class Found:
    """One device that answers. `exception`: what it said to the probe, 0 for data."""

    unit: int
    setting: Setting
    exception: int
    latency_us: int
    was_late: bool = False  # later than the scan waits
    identity: Identity = field(default_factory=Identity)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. `left_s` is what is left when nobody answers any more."""

    doing: str
    setting: Setting
    unit: int
    found_count: int
    left_s: float
    done_permille: int


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended. busy: somebody else speaks here; `heard` says what was heard of it."""

    verdict: Verdict
    found: tuple[Found, ...] = ()
    tried: tuple[Setting, ...] = ()
    units: tuple[int, ...] = ()
    sent_count: int = 0
    heard: str = ""
    echoes: bool = False  # the adapter hears itself
    deaf: bool = False  # over TCP: it answers at every address, so it is one device


class _Busy(Exception):
    """Somebody else speaks."""


class Search:
    """One scan of one line. `open_port` makes a port for a setting; it is opened and closed here."""

    def __init__(self, plan: Plan, open_port: Callable[[Setting], Port], profiles: tuple[Profile, ...],
                 note: Callable[[Progress], None] = lambda progress: None) -> None:  # fmt: skip
        self.plan = plan
        self._open_port, self._profiles, self._note = open_port, profiles, note
        self._found: list[Found] = []
        self._tried: list[Setting] = []
        self._sent_count = 0
        self._left_s = self._total_s = plan.seconds()
        self._asked: set[int] = set()  # addresses asked at this setting: what is heard of them may be a late answer
        self._late: set[int] = set()
        self._heard = ""
        self._echoes = False
        self._deaf = False  # to addresses

    async def run(self) -> Result:
        """Raises LineFault when the port cannot be opened or goes away."""
        verdict: Verdict = "nothing"
        try:
            await self._listen_first()
            await self._search()
            verdict = "found" if self._found else "nothing"
        except _Busy:
            verdict = "busy"
        return Result(
            verdict, tuple(sorted(self._found, key=lambda f: f.unit)), tuple(self._tried), self.plan.units,
            self._sent_count, self._heard, self._echoes, self._deaf,
        )  # fmt: skip

    async def _listen_first(self) -> None:
        if not self.plan.listen_s:
            return
        line = await self._line(self.plan.settings[0])
        try:
            self._say("listening", self.plan.settings[0], 0)
            self._judge(await line.listen(self.plan.listen_s))
        finally:
            self._close(line)
        self._left_s -= self.plan.listen_s

    async def _search(self) -> None:
        for function in PROBE_FUNCTIONS:
            for setting in self.plan.settings:
                line = await self._line(setting)
                try:
                    await self._at(line, setting, function)
                finally:
                    self._close(line)
                if self._found:
                    return

    async def _at(self, line: ReadLine, setting: Setting, function: int) -> None:
        """Every address at one setting; when somebody answers, the silent ones are asked in another way as well."""
        self._asked, self._late = set(), set()
        if setting not in self._tried:
            self._tried.append(setting)
        await self._ask_all(line, setting, function, self.plan.units)
        others = [other for other in PROBE_FUNCTIONS if other != function]
        if self._found or self._late:
            for other in others:
                silent = tuple(u for u in self.plan.units if u not in {f.unit for f in self._found})
                await self._ask_all(line, setting, other, silent)
            await self._ask_late(line, setting)
        if not setting.baud and len(self.plan.units) > 1 and len(self._found) == len(self.plan.units):
            self._found, self._deaf = self._found[:1], True
        for index, found in enumerate(self._found):
            self._say("identifying", setting, found.unit)
            identity = await who_is(line, found.unit, self._profiles, self._patience_s(found))
            self._found[index] = Found(
                found.unit, setting, found.exception, found.latency_us, found.was_late, identity
            )  # fmt: skip

    async def _ask_all(self, line: ReadLine, setting: Setting, function: int, units: tuple[int, ...]) -> None:
        for unit in units:
            self._say("asking", setting, unit)
            heard = await line.ask(probe(unit, function), self.plan.turnaround_s)
            self._left_s -= probe_s(self.plan, setting)
            self._asked.add(unit)
            if heard.is_answer and heard.answer not in NOBODY_BEHIND:
                self._take(unit, setting, heard)
            await self._look_at(line, heard)

    async def _ask_late(self, line: ReadLine, setting: Setting) -> None:
        """Who answered after its time is asked again, alone and with patience."""
        for unit in sorted(self._late - {found.unit for found in self._found}):
            await line.listen(LATE_TURNAROUND_S)
            heard = await line.ask(probe(unit), LATE_TURNAROUND_S)
            if heard.is_answer:
                self._take(unit, setting, heard, was_late=True)

    def _take(self, unit: int, setting: Setting, heard: Heard, *, was_late: bool = False) -> None:
        exception = heard.answer if isinstance(heard.answer, int) else 0
        self._found.append(Found(unit, setting, exception, heard.latency_us, was_late))

    def _patience_s(self, found: Found) -> float:
        return LATE_TURNAROUND_S if found.was_late else max(self.plan.turnaround_s, 4 * found.latency_us / 1e6)

    # ---- who else speaks

    async def _look_at(self, line: ReadLine, heard: Heard) -> None:
        """Bytes that nobody asked for: a late answer, our own echo, a spike, or another master. When in doubt, listen."""
        self._echoes = self._echoes or (heard.is_answer and _is_probe(heard.data[:8]))
        odd = heard.stray + (b"" if heard.is_answer else heard.data)
        if odd and not self._explain(odd):
            again = await line.listen(AGAIN_S)
            if not self._explain(again):
                self._judge(again)

    def _explain(self, data: bytes) -> bool:
        """Are these whole frames that we caused?"""
        frames = right_frames(data)
        for frame in frames:
            if frame[0] in self._asked and _is_probe(frame):
                self._echoes = True
            elif frame[0] in self._asked and frame[1] & 0x7F in PROBE_FUNCTIONS and len(frame) in LATE_BYTES:
                self._late.add(frame[0])
            else:
                self._heard = _frame_text(frame)
                raise _Busy
        return sum(map(len, frames)) == len(data)

    def _judge(self, data: bytes) -> None:
        if len(data) < BUSY_BYTES:
            return
        frames = right_frames(data)
        self._heard = _frame_text(frames[0]) if frames else f"{len(data)} bytes that are no frames at this setting"
        raise _Busy

    # ---- the port and the screen

    async def _line(self, setting: Setting) -> ReadLine:
        line = ReadLine(setting.port(self.plan.path), self._open_port(setting))
        await line.open()
        return line

    def _close(self, line: ReadLine) -> None:
        self._sent_count += line.sent_count
        line.close()

    def _say(self, doing: str, setting: Setting, unit: int) -> None:
        done = 1 - self._left_s / self._total_s
        self._note(Progress(doing, setting, unit, len(self._found), max(0.0, self._left_s), int(1000 * done)))


def _is_probe(frame: bytes) -> bool:
    """Our own question, heard again. An answer never has eight bytes."""
    return len(frame) == 8 and frame[1] in PROBE_FUNCTIONS and frame[2:6] == bytes((0, 0, 0, 1))


def _frame_text(frame: bytes) -> str:
    is_write = frame[1] in (5, 6, 15, 16)
    what = "a write" if is_write else "a refusal" if frame[1] & 0x80 else "a read or its answer"
    return f"a frame of function {frame[1] & 0x7F} for address {frame[0]} ({what})"
