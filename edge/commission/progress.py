"""How far a long word is: one line that is rewritten on a terminal, a line now and then elsewhere. Always on stderr."""

import sys
from collections.abc import Callable

LINE_EVERY_S = 5.0  # where there is no terminal: a log wants to stay readable
EXIT_STOPPED = 130


class Ticker:
    """`note` as often as one likes; `end` before anything else is printed."""

    def __init__(self) -> None:
        self._is_tty = sys.stderr.isatty()
        self._next_s = -1e9

    def note(self, text: str, now_s: float) -> None:
        if self._is_tty:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        elif now_s >= self._next_s:
            self._next_s = now_s + LINE_EVERY_S
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._is_tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def interruptible(act: Callable[[], int]) -> int:
    """Ctrl-C is a way to end, not a fault."""
    try:
        return act()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return EXIT_STOPPED
