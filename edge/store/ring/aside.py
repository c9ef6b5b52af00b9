"""A thread that waits for the disk in its owner's place, one piece of work at a time; without `start` its owner waits.

What a piece of work touches belongs to this thread while `busy`, and to the owner otherwise: nothing needs a lock. A
programming fault in it is raised again in the owner, at its next look.
"""

import sys
import threading
from collections.abc import Callable, Sequence

Work = Callable[[], None]


class Aside:
    """`give` work when not `busy`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None
        self._work: Sequence[Work] = ()
        self._given, self._idle = threading.Event(), threading.Event()
        self._idle.set()
        self._ended = False
        self._failure: BaseException | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    @property
    def is_here(self) -> bool:
        """Whether this is the thread that asks."""
        return threading.current_thread() is self._thread

    @property
    def busy(self) -> bool:
        """Whether the last work is still under way. Raises what it has raised."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return not self._idle.is_set()

    def give(self, *work: Work) -> None:
        """Done one after the other in the thread; here and now while there is none."""
        if self._thread is None:
            for one in work:
                one()
            return
        assert self._idle.is_set()
        self._work = work
        self._idle.clear()
        self._given.set()

    def wait(self, limit_s: float) -> bool:
        """True as soon as nothing is under way."""
        return self._idle.wait(limit_s)

    def end(self) -> None:
        """After the work in hand the thread is over; from now on the owner waits himself."""
        self._ended = True
        self._given.set()
        self._thread = None

    def _run(self) -> None:
        try:
            while True:
                self._given.wait()
                self._given.clear()
                for one in self._work:
                    one()
                self._work = ()
                self._idle.set()
                if self._ended:
                    return
        finally:
            self._failure = sys.exception()
            self._idle.set()
