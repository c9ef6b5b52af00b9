"""The line editor: bytes in, echo and events out. No file descriptor, no clock, no word in here.

One echoed byte per keystroke typed at the end of the line. 512 bytes a line. ASCII only: other bytes are ignored.
Escape sequences are read with a bound, so that garbage cannot hold the editor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

LINE_MAX_BYTES = 512
HISTORY_MAX = 50
ESCAPE_MAX_BYTES = 8

EventKind = Literal["", "line", "help", "redraw", "quit"]

_CSI_KEYS = {
    b"A": "up", b"B": "down", b"C": "right", b"D": "left", b"H": "home", b"F": "end",
    b"1~": "home", b"7~": "home", b"4~": "end", b"8~": "end", b"3~": "delete",
}  # fmt: skip
_CONTROL_KEYS = {
    0x01: "home", 0x02: "left", 0x03: "cancel", 0x04: "eof", 0x05: "end", 0x06: "right", 0x08: "backspace",
    0x09: "tab", 0x0A: "enter", 0x0B: "kill_end", 0x0C: "redraw", 0x0D: "enter", 0x0E: "down", 0x10: "up",
    0x15: "kill_start", 0x17: "kill_word", 0x7F: "backspace",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """What one byte did: bytes to send back, and an event for the session ("" is none)."""

    echo: bytes = b""
    event: EventKind = ""
    text: str = ""


NOTHING = Step()
BELL = Step(b"\a")


class LineEditor:
    """State of one line being typed and the history. Feed it byte by byte: an event may change what comes next."""

    def __init__(self, complete: Callable[[str], list[str]]) -> None:
        self._complete = complete
        self._line = bytearray()
        self._cursor = 0
        self._escape: bytearray | None = None
        self._after_cr = False
        self._history: list[bytes] = []
        self._history_index = 0
        self._draft = b""

    @property
    def text(self) -> str:
        return self._line.decode("ascii")

    def redraw(self) -> bytes:
        """The line as it stands, for after a prompt."""
        return bytes(self._line) + b"\b" * (len(self._line) - self._cursor)

    def feed(self, byte: int) -> Step:
        was_cr, self._after_cr = self._after_cr, byte == 0x0D
        if self._escape is not None:
            return self._feed_escape(byte)
        if byte == 0x1B:
            self._escape = bytearray()
            return NOTHING
        if byte == 0x0A and was_cr:
            return NOTHING  # CR LF is one Enter
        key = _CONTROL_KEYS.get(byte)
        if key is not None:
            return self._press(key)
        if byte == ord("?"):
            return Step(b"?\r\n", "help", self.text)
        return self._insert(bytes([byte])) if 0x20 <= byte < 0x7F else NOTHING

    def _feed_escape(self, byte: int) -> Step:
        assert self._escape is not None
        escape = self._escape
        if byte == 0x1B:
            escape.clear()
            return NOTHING
        if byte < 0x20:  # a control key ends a broken sequence and counts itself
            self._escape = None
            return self.feed(byte)
        escape.append(byte)
        if len(escape) == 1 and byte in b"[O":
            return NOTHING
        if len(escape) > 1 and byte < 0x40 and len(escape) < ESCAPE_MAX_BYTES:
            return NOTHING  # parameters
        self._escape = None
        return self._press(_CSI_KEYS.get(bytes(escape[1:]), ""))

    def _press(self, key: str) -> Step:
        match key:
            case "left":
                return self._move(self._cursor - 1)
            case "right":
                return self._move(self._cursor + 1)
            case "home":
                return self._move(0)
            case "end":
                return self._move(len(self._line))
            case "up":
                return self._recall(self._history_index - 1)
            case "down":
                return self._recall(self._history_index + 1)
            case "tab":
                return self._tab()
            case "enter":
                return self._enter()
            case _:
                return self._edit(key)

    def _edit(self, key: str) -> Step:
        cursor = self._cursor
        match key:
            case "backspace":
                return self._cut(cursor - 1, cursor)
            case "delete":
                return self._cut(cursor, cursor + 1)
            case "kill_start":
                return self._cut(0, cursor)
            case "kill_end":
                return self._cut(cursor, len(self._line))
            case "kill_word":
                kept = bytes(self._line[:cursor]).rstrip(b" ")
                return self._cut(kept.rfind(b" ") + 1, cursor)
            case "cancel":
                self._set(b"")
                self._history_index = len(self._history)
                return Step(b"^C\r\n", "line", "")
            case "redraw":
                return Step(b"\x1b[H\x1b[2J", "redraw")
            case "eof":
                return self._cut(cursor, cursor + 1) if self._line else Step(b"\r\n", "quit")
            case _:
                return NOTHING

    def _set(self, line: bytes) -> None:
        self._line = bytearray(line)
        self._cursor = len(line)

    def _move(self, to: int) -> Step:
        to = max(0, min(to, len(self._line)))
        before, self._cursor = self._cursor, to
        return Step(b"\b" * (before - to) if to < before else bytes(self._line[before:to]))

    def _insert(self, text: bytes) -> Step:
        if len(self._line) + len(text) > LINE_MAX_BYTES:
            return BELL
        tail = bytes(self._line[self._cursor :])
        self._line[self._cursor : self._cursor] = text
        self._cursor += len(text)
        return Step(text + tail + b"\b" * len(tail))

    def _cut(self, start: int, end: int) -> Step:
        start, end = max(0, start), min(end, len(self._line))
        if start >= end:
            return NOTHING
        back = b"\b" * (self._cursor - start)
        del self._line[start:end]
        self._cursor = start
        tail = bytes(self._line[start:])
        return Step(back + tail + b" " * (end - start) + b"\b" * (len(tail) + end - start))

    def _replace(self, line: bytes) -> Step:
        back = b"\b" * self._cursor
        gap = max(0, len(self._line) - len(line))
        self._set(line)
        return Step(back + line + b" " * gap + b"\b" * gap)

    def _recall(self, index: int) -> Step:
        if not 0 <= index <= len(self._history):
            return BELL
        if self._history_index == len(self._history):
            self._draft = bytes(self._line)
        self._history_index = index
        return self._replace(self._history[index] if index < len(self._history) else self._draft)

    def _tab(self) -> Step:
        if self._cursor != len(self._line):
            return BELL
        names = self._complete(self.text)
        if not names:
            return BELL
        typed = self.text.lstrip()
        shared = names[0]
        for name in names[1:]:
            while not name.startswith(shared):
                shared = shared[:-1]
        if len(names) == 1 and shared == typed.rstrip():
            return BELL if typed.endswith(" ") else self._insert(b" ")
        if shared.startswith(typed) and len(shared) > len(typed):
            return self._insert((shared[len(typed) :] + (" " if len(names) == 1 else "")).encode("ascii"))
        return Step(b"\r\n", "help", self.text)

    def _enter(self) -> Step:
        line = bytes(self._line)
        if line.strip() and (not self._history or self._history[-1] != line):
            self._history = [*self._history, line][-HISTORY_MAX:]
        self._history_index, self._draft = len(self._history), b""
        self._set(b"")
        return Step(b"\r\n", "line", line.decode("ascii"))
