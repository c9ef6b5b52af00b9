"""Asks the invariants cycle after cycle of a run, and keeps what was broken: how every simulation uses them."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge.config.options import Config
from edge.control.kernel import Kernel
from edge.control.settings import config_struct
from edge.model import CycleRecord
from hil import invariants


@dataclass(frozen=True, slots=True)
class Breach:
    """One invariant broken in one cycle."""

    mono_ms: int
    text: str


class Watch:
    """Of one controller. Cycle 0 is the first of a process: nothing is remembered from before it."""

    def __init__(self, config: Config) -> None:
        self._config = config_struct(config)
        self._fresh = Kernel(self._config).images()[1]
        self._before = self._fresh
        self._last_seq = -1
        self.cycle_count = 0
        self.breaches: dict[str, list[Breach]] = {rule.__name__: [] for rule in invariants.EVERY}

    def note(self, record: CycleRecord) -> None:
        """The next cycle. One that does not follow on the last is not judged: the state before it is not known."""
        if record.seq == 0:
            self._before = self._fresh
        if record.seq in (0, self._last_seq + 1):
            self._judge(record.mono_ms, record.input, record.state, record.output)
        self._before, self._last_seq = record.state, record.seq

    def note_step(self, kernel: Kernel) -> None:
        """The step that a kernel has just taken, for runs that make no records."""
        tw_input, state, output = kernel.images()
        self._judge(kernel.input.mono_ms, tw_input, state, output)
        self._before = state

    def _judge(self, mono_ms: int, tw_input: bytes, state: bytes, output: bytes) -> None:
        self.cycle_count += 1
        for text in invariants.broken(self._config, self._before, tw_input, state, output):
            name, _, words = text.partition(": ")
            self.breaches[name].append(Breach(mono_ms, words))

    def told(self) -> str:
        """One line."""
        found = [(name, breach) for name, breaches in self.breaches.items() for breach in breaches]
        if not found:
            return f"{len(self.breaches)} invariants held in each of {self.cycle_count} cycles"
        name, first = min(found, key=lambda pair: pair[1].mono_ms)
        return (
            f"BROKEN {len(found)} times in {self.cycle_count} cycles, first {name} at {first.mono_ms} ms: {first.text}"
        )


def promises() -> Mapping[str, str]:
    """Name of each invariant -> what it promises."""
    return {rule.__name__: str(rule.__doc__).splitlines()[0].rstrip(".") for rule in invariants.EVERY}
