"""One console session on a pair of file descriptors inside the control thread's event loop. It never blocks.

Two manners: "terminal" (echo, editing, prompt, watch) for people, "lines" for machines: a line in, the answer, then a
line with a single ".", or "!" when the word was refused; with --json exactly one line. The line `terminal vt100 [mono]`
or `terminal lines` switches.

A slow peer costs nothing: frames of `watch` are dropped while earlier bytes wait, and nothing more is read from a peer
that does not take its answers. A flooding peer costs one line per turn of the loop: the cycle comes in between.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Literal

from edge.console.line import LINE_MAX_BYTES, LineEditor
from edge.console.screens import clean
from edge.console.view import PlantView, Told
from edge.console.words import Answer, complete, refuse, render_json, run_line

Manner = Literal["terminal", "lines"]

READ_BYTES = 256  # per turn of the loop: a flood of garbage must leave time for the cycle
OUT_HIGH_BYTES = 16_384  # more waiting than this stops reading
STOP_KEY = 0x03  # Ctrl-C
DONE, REFUSED = ".", "!"  # the last line of an answer in manner "lines"
BANNER = "Tidewatt Edge console; ? for help"


class Session:
    """Owns its descriptors' readers and writers, and the descriptors when `own_fds`. Start it inside the loop."""

    def __init__(
        self,
        plant: PlantView,
        in_fd: int,
        out_fd: int,
        *,
        manner: Manner = "lines",
        colour: bool = False,
        own_fds: bool = True,
        on_close: Callable[["Session"], None] | None = None,
    ) -> None:
        self._plant = plant
        self._in_fd = in_fd
        self._out_fd = out_fd
        self._manner: Manner = manner
        self._colour = colour
        self._own_fds = own_fds
        self._on_close = on_close
        self._editor = LineEditor(complete)
        self._line = bytearray()  # manner "lines" only
        self._overlong = False
        self._pending = bytearray()  # read, not yet processed
        self._out = bytearray()
        self._writing = False
        self._reading = False
        self._scheduled = False
        self._closing = False
        self._watch_s = 0
        self._watch_timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[Told] | None = None  # a word that has to ask first; nothing else is taken meanwhile
        self.dropped_frames_count = 0
        self.is_open = False

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        os.set_blocking(self._in_fd, False)
        os.set_blocking(self._out_fd, False)
        self.is_open = True
        self._resume_reading()
        if self._manner == "terminal":
            self._send(f"\r\n{BANNER}\r\n{self._prompt()}")

    def close(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self._stop_watch()
        if self._asking is not None:
            self._asking.cancel()  # whoever asked is gone
        self._loop.remove_reader(self._in_fd)
        self._loop.remove_writer(self._out_fd)
        if self._own_fds:
            for fd in {self._in_fd, self._out_fd}:
                os.close(fd)
        if self._on_close is not None:
            self._on_close(self)

    # ---- bytes in

    def _resume_reading(self) -> None:
        if not self._reading and self.is_open:
            self._reading = True
            self._loop.add_reader(self._in_fd, self._read_ready)

    def _pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._in_fd)

    def _read_ready(self) -> None:
        try:
            data = os.read(self._in_fd, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the terminal hung up
            data = b""
        if not data:
            self.close()
            return
        if self._asking is not None and STOP_KEY in data:
            self._asking.cancel()
            self._pending.clear()
            data = data[data.index(STOP_KEY) + 1 :]
        self._pending += data
        self._process()

    def _process(self) -> None:
        """Takes what was read up to the end of one line, unless the peer owes us reading; the rest waits for a turn."""
        self._scheduled = False
        took_line = False
        while self._pending and self.is_open and not self._closing and not took_line and self._asking is None:
            if len(self._out) > OUT_HIGH_BYTES:
                self._pause_reading()
                return
            took_line = self._take(self._pending.pop(0))
        if self._closing or not self.is_open:
            return
        if self._asking is not None:
            if len(self._pending) > READ_BYTES:
                self._pause_reading()
            else:
                self._resume_reading()  # to see it go, or the key that ends it
        elif self._pending:
            self._pause_reading()  # else what waits would grow
            self._schedule()
        else:
            self._resume_reading()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._process)

    def _take(self, byte: int) -> bool:
        """True when it cost more than an echo: a word was run or the prompt drawn."""
        if self._watch_s:
            self._stop_watch()
            self._send("\r\n" + self._prompt())
            return True
        return self._take_line_byte(byte) if self._manner == "lines" else self._take_key(byte)

    def _take_line_byte(self, byte: int) -> bool:
        if byte not in (0x0A, 0x0D):
            self._overlong = self._overlong or len(self._line) >= LINE_MAX_BYTES
            if not self._overlong and 0x20 <= byte < 0x7F:
                self._line.append(byte)
            return False
        line, overlong = self._line.decode("ascii"), self._overlong
        self._line, self._overlong = bytearray(), False
        if overlong:
            self._send(f"line too long ({LINE_MAX_BYTES} bytes at most)\n{REFUSED}\n")
        elif line.strip() and not self._switch(line):
            self._run(line)
        return True

    def _take_key(self, byte: int) -> bool:
        step = self._editor.feed(byte)
        if step.echo:
            self._send_bytes(step.echo)
        match step.event:
            case "line" if self._switch(step.text):
                pass
            case "line" if step.text.strip():
                self._run(step.text)
            case "line":
                self._send(self._prompt())
            case "help":
                self._help(step.text)
            case "redraw":
                self._send(self._prompt())
                self._send_bytes(self._editor.redraw())
            case "quit":
                self._finish()
        return step.event != ""

    # ---- words

    def _switch(self, line: str) -> bool:
        """`terminal ...`: about this session, not about the plant, so it is not in the registry."""
        match line.split():
            case ["terminal", "vt100"] | ["terminal", "vt100", "mono"]:
                self._colour = not line.rstrip().endswith("mono")
                self._manner = "terminal"
                self._send(f"{BANNER}\r\n{self._prompt()}")
            case ["terminal", "lines"]:
                self._manner, self._colour = "lines", False
                self._send("manner lines\n.\n")
            case _:
                return False
        return True

    def _run(self, line: str) -> None:
        answer, as_json = run_line(self._plant, line, self._colour)
        if answer.later is None:
            self._show(answer, as_json)
            return
        self._asking = self._loop.create_task(answer.later())
        self._asking.add_done_callback(lambda task: self._come(task, as_json))

    def _come(self, task: "asyncio.Task[Told]", as_json: bool) -> None:
        """The answer to a word that had to ask. A fault of the program is shown here, and the plant goes on."""
        self._asking = None
        fault = None if task.cancelled() else task.exception()
        if not self.is_open:
            return
        if task.cancelled():
            self._show(refuse("stopped"), as_json)
        elif fault is not None:
            self._show(refuse(f"fault of this program: {fault!r}"), as_json)
        else:
            told = task.result()
            self._show(Answer(told.lines, told.data, told.ok), as_json)
        self._process()

    def _show(self, answer: Answer, as_json: bool) -> None:
        terminal = self._manner == "terminal"
        if answer.watch_s and not terminal:
            answer = Answer(["watch needs a terminal; ask for: show status --json"], ok=False)
        end = "\r\n" if terminal else "\n"
        if as_json:
            self._send(render_json(answer) + end)
        else:
            lines = answer.lines if terminal else [*answer.lines, DONE if answer.ok else REFUSED]
            self._send("".join(line + end for line in lines))
        if answer.quit:
            self._finish()
        elif answer.watch_s and terminal:
            self._watch_s = answer.watch_s
            self._send("\x1b[2J")
            self._show_frame()
        elif terminal:
            self._send(self._prompt())

    def _help(self, text: str) -> None:
        answer, _ = run_line(self._plant, f"help {' '.join(text.split())}" if complete(text) else "help")
        self._send("".join(line + "\r\n" for line in answer.lines) + self._prompt())
        self._send_bytes(self._editor.redraw())

    def _prompt(self) -> str:
        view = self._plant.status()
        return f"{clean(view.site, 31)}[{clean(view.mode, 10)}]> "

    # ---- watch

    def _show_frame(self) -> None:
        if not self._watch_s or not self.is_open:
            return
        if self._out:
            self.dropped_frames_count += 1
        else:
            answer, _ = run_line(self._plant, "show status", self._colour)
            lines = [*answer.lines, "", f"every {self._watch_s} s; any key ends it"]
            self._send("\x1b[H" + "".join(line + "\x1b[K\r\n" for line in lines) + "\x1b[J")
        self._watch_timer = self._loop.call_later(self._watch_s, self._show_frame)

    def _stop_watch(self) -> None:
        self._watch_s = 0
        if self._watch_timer is not None:
            self._watch_timer.cancel()
            self._watch_timer = None

    # ---- bytes out

    def _finish(self) -> None:
        """Closes after what is waiting has gone out; a peer that takes nothing is closed at once."""
        self._closing = True
        self._pause_reading()
        if not self._out or not self._writing:
            self.close()
        else:
            self._loop.call_later(1.0, self.close)

    def _send(self, text: str) -> None:
        self._send_bytes(text.encode("ascii", "replace"))

    def _send_bytes(self, data: bytes) -> None:
        if not self.is_open:
            return
        self._out += data
        if not self._writing:
            self._flush()

    def _flush(self) -> None:
        try:
            sent_bytes = os.write(self._out_fd, self._out)
        except (BlockingIOError, InterruptedError):
            sent_bytes = 0
        except OSError:
            self.close()
            return
        del self._out[:sent_bytes]
        if self._out and not self._writing:
            self._writing = True
            self._loop.add_writer(self._out_fd, self._flush)
        elif not self._out and self._writing:
            self._writing = False
            self._loop.remove_writer(self._out_fd)
            if self._closing:
                self.close()
        if self._pending and not self._closing and len(self._out) <= OUT_HIGH_BYTES and not self._reading:
            self._schedule()
