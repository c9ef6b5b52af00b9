"""Several workers: one process each, started again when it ends, told to stop when this one is.

A worker that dies loses nothing: what it had not committed was never acknowledged and comes again.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence

AGAIN_FIRST_MS, AGAIN_MAX_MS = 500, 30_000
STABLE_MS = 60_000  # a worker that ran so long starts again at once when it ends
END_MAX_S = 25.0  # a worker's own last commit takes 20 s at most
_BAD_INPUT = 2


class Crew:
    """`count` processes of `words`, numbered from 1. Driven by `step`."""

    def __init__(self, words: Sequence[str], count: int, say: Callable[[str], None]) -> None:
        self._words, self._say = words, say
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._due_mono_ms = dict.fromkeys(range(1, count + 1), 0)
        self._started_mono_ms: dict[int, int] = {}
        self._wait_ms = dict.fromkeys(self._due_mono_ms, AGAIN_FIRST_MS)
        self.refused = False  # a worker ended because of its options: starting it again would not help

    def pids(self) -> list[int]:
        """Of those that run."""
        return [process.pid for process in self._processes.values()]

    def step(self, mono_ms: int) -> None:
        """Starts those that are due, notices those that ended."""
        for number, process in list(self._processes.items()):
            code = process.poll()
            if code is not None:
                del self._processes[number]
                self.refused |= code == _BAD_INPUT
                self._plan(number, mono_ms, code)
        for number, due_mono_ms in self._due_mono_ms.items():
            if number not in self._processes and mono_ms >= due_mono_ms and not self.refused:
                self._started_mono_ms[number] = mono_ms
                self._processes[number] = subprocess.Popen([*_program(), *self._words, "--worker", str(number)])

    def _plan(self, number: int, mono_ms: int, code: int) -> None:
        stable = mono_ms - self._started_mono_ms[number] >= STABLE_MS
        wait_ms = AGAIN_FIRST_MS if stable else self._wait_ms[number]
        self._wait_ms[number] = min(2 * wait_ms, AGAIN_MAX_MS)
        self._due_mono_ms[number] = mono_ms + wait_ms
        self._say(f"ingest worker={number} state='ended, exit {code}; started again in {wait_ms} ms'")

    def end(self) -> int:
        """SIGTERM to all, and waits for their last commits; 0, or the worst exit code. One that hangs is killed."""
        for process in self._processes.values():
            process.terminate()
        codes = [0]
        for process in self._processes.values():
            try:
                codes.append(process.wait(END_MAX_S))
            except subprocess.TimeoutExpired:
                process.kill()
                codes.append(1)
        return max(map(abs, codes))


def _program() -> list[str]:
    return [sys.executable, "-m", "edge.fleet"]
