"""`edge console`: joins this terminal to the console socket of a running edge, or asks one line and prints the answer.

A separate process: it may block. ^] leaves. The terminal is restored whatever happens. One question ends with 0, with 1 when
nobody answers, and with 2 when the word was refused: then the refusal is on stderr.
"""

import json
import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Sequence
from dataclasses import dataclass

from edge.console.session import DONE, REFUSED

LEAVE = 0x1D  # ^], as telnet has it
TIMEOUT_S = 5.0
EXIT_SILENT, EXIT_REFUSED = 1, 2


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer without its closing line, and whether the word was taken."""

    text: str
    ok: bool


def ask(path: str, line: str, timeout_s: float = TIMEOUT_S) -> Reply:
    """One request line and its answer. Raises: OSError when nobody listens or answers.

    `timeout_s` is the longest silence, not the whole time.
    """
    line = " ".join(line.split())  # a line break inside would be a second order
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(timeout_s)
        peer.connect(path)
        peer.sendall(line.encode("ascii", "replace") + b"\n")
        as_json = line.split()[-1:] == ["--json"]
        received = bytearray()
        while data := peer.recv(4096):
            received += data
            if received.endswith(b"\n") and (as_json or _closing(received)):
                break
    text = received.decode("ascii", "replace")
    if as_json:
        return Reply(text, _is_ok(text))
    end = _closing(received)
    return Reply(text[: len(text) - 2] if end else text, end != REFUSED)


def _closing(received: bytes | bytearray) -> str:
    """The closing line of an answer, "" while there is none."""
    last = received.rstrip(b"\n").rpartition(b"\n")[2]
    return last.decode() if received.endswith(b"\n") and last in (DONE.encode(), REFUSED.encode()) else ""


def _is_ok(text: str) -> bool:
    try:
        return bool(json.loads(text)["ok"])
    except (ValueError, KeyError, TypeError):
        return False


def run_client(path: str, words: Sequence[str] = ()) -> int:
    """The exit code. With `words` one question, else a session."""
    try:
        if words:
            reply = ask(path, " ".join(words))
            shown = sys.stdout if reply.ok or words[-1] == "--json" else sys.stderr
            shown.write(reply.text)
            return 0 if reply.ok else EXIT_REFUSED
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(path)
            if sys.stdin.isatty():
                _run_terminal(peer)
            else:
                _join(peer, sys.stdin.fileno(), None)
    except OSError as fault:
        sys.stderr.write(f"edge console: {path}: {fault.strerror or fault}; is the edge service running?\n")
        return EXIT_SILENT
    return 0


def _run_terminal(peer: socket.socket) -> None:
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    peer.sendall(b"terminal vt100 mono\n" if "NO_COLOR" in os.environ else b"terminal vt100\n")
    try:
        tty.setraw(fd)
        _join(peer, fd, LEAVE)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        sys.stdout.write("\n")


def _join(peer: socket.socket, in_fd: int, leave: int | None) -> None:
    """Copies both ways until the peer closes, or the leave key; the end of a piped input only ends that way."""
    sources: list[int | socket.socket] = [peer, in_fd]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if peer in ready:
            data = peer.recv(4096)
            if not data:
                return
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        if in_fd in ready:
            data = os.read(in_fd, 1024)
            if leave is not None and leave in data:
                return
            if not data:
                sources.remove(in_fd)
                peer.sendall(b"quit\n")
            else:
                peer.sendall(data)
