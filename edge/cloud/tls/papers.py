"""The certificate files of one link: looked at while it runs, tried whole before they are used, and never half.

Renewed files come into use without a restart and without a hole: read into a fresh context, shown to the broker on a second
connection, and only when the broker has taken that one the link changes over. Files that are half written, do not belong
together, are out of their time, or that the broker refuses, are refused with a note; the link goes on with what it had.
What is on the disk and reads well counts for every new connection: trust that was taken out of ca_file is not kept.
"""

import contextlib
import ssl
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from edge.cloud.access import Access
from edge.cloud.dial import Dial
from edge.cloud.tls.judge import Judge
from edge.cloud.tls.validity import Validity, out_of_time, validities_in, when
from edge.errors import DataFault
from edge.ops.clockfloor import ClockFloor

LOOK_MS = 5_000  # three stats; twice the same before it is read: who renews may still be writing
AGAIN_MS = 60_000  # files that were refused, looked at again: a mode or the time may have been put right
SHOW_AGAIN_MS = 300_000  # the same for files that the broker refused
LISTEN_MS = 2_000  # in TLS 1.3 a broker refuses a certificate after the handshake; brokers speak first only then
WARN_MS = 14 * 86_400_000  # before the own certificate ends
DAY_MS = 86_400_000
NOTES_MAX_COUNT = 16

_Seen = tuple[tuple[str, int, int, int], ...]


class Note(NamedTuple):
    """What is told of the files, as an event."""

    name: str
    text: str
    level: Literal["info", "warning", "alarm"]


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: ssl.SSLContext | None
    seen: _Seen
    own: Validity | None  # of the client certificate


class Papers:
    """Owned by the link's thread. `dial` for a new connection; `renew` while there is one."""

    def __init__(self, access: Access, host: str, port: int, floor: ClockFloor) -> None:
        self._access, self._host, self._port, self._floor = access, host, port, floor
        self._used: _Loaded | None = None
        self._fresh: _Loaded | None = None  # on its way into use
        self._shown: Dial | None = None  # the connection that it is shown on
        self._shown_mono_ms: int | None = None  # when its handshake was done
        self._seen: _Seen = ()
        self._refused: tuple[_Seen, str] = ((), "")
        self._look_mono_ms = self._again_mono_ms = self._warn_mono_ms = 0
        self._now_mono_ms = 0
        self.judge = Judge(floor)
        self.notes: deque[Note] = deque(maxlen=NOTES_MAX_COUNT)

    # ---- a new connection

    def dial(self, mono_ms: int) -> Dial:
        """An attempt with what is on the disk, or while that cannot be used with what was. Raises DataFault."""
        self._drop_shown()
        self._now_mono_ms, seen = mono_ms, self._look()
        if self._used is None or seen != self._used.seen:
            try:
                self._use(self._load(seen, strict=self._used is not None))
            except DataFault as fault:
                if self._used is None:
                    raise
                self._refuse(seen, str(fault), "connecting with the ones before", AGAIN_MS)
        assert self._used is not None
        return self._start(self._used)

    def _start(self, loaded: _Loaded) -> Dial:
        self.judge.begin(loaded.context, self._now_mono_ms)
        return Dial(self._host, self._port, loaded.context, self._now_mono_ms, self.judge)

    def hint(self) -> str:
        """What is wrong with the own certificate, for the text on a broker that refuses us; "" for nothing."""
        own = self._used.own if self._used is not None else None
        return out_of_time(own, self._floor.now(), f"cert_file {self._access.cert_file}") if own is not None else ""

    # ---- renewal

    def renew(self, mono_ms: int) -> bool:
        """Call while connected. True: `take` gives a connection that was opened with renewed files."""
        self._now_mono_ms = mono_ms
        if not self._access.tls:
            return False
        if self._shown is not None:
            return self._show(self._shown)
        if mono_ms < self._look_mono_ms:
            return False
        self._look_mono_ms = mono_ms + LOOK_MS
        self._warn()
        seen = self._look()
        is_calm, self._seen = seen == self._seen, seen
        known = self._used is not None and seen == self._used.seen
        if is_calm and not known and (seen != self._refused[0] or mono_ms >= self._again_mono_ms):
            self._try(seen)
        return False

    def _try(self, seen: _Seen) -> None:
        try:
            loaded = self._load(seen, strict=True)
        except DataFault as fault:
            self._refuse(seen, str(fault), "the connection goes on with the ones before", AGAIN_MS)
            return
        if self._look() == seen:  # else written to meanwhile: another look
            self._fresh, self._shown = loaded, self._start(loaded)

    def _show(self, shown: Dial) -> bool:
        """The second connection, step by step. True once the broker has taken it."""
        shown.step(self._now_mono_ms)
        fault = shown.fault
        if shown.socket is not None:
            self._shown_mono_ms = self._shown_mono_ms or self._now_mono_ms
            if self._now_mono_ms - self._shown_mono_ms < LISTEN_MS:
                return False
            fault = _said(shown)
        if not fault:
            return shown.socket is not None
        assert self._fresh is not None
        self._refuse(self._fresh.seen, fault, "the connection goes on with the ones before", SHOW_AGAIN_MS)
        self._drop_shown()
        return False

    def take(self) -> Dial:
        """The connection that `renew` spoke of; its files are in use from now on."""
        assert self._shown is not None and self._fresh is not None
        shown, self._shown = self._shown, None
        self._use(self._fresh)
        self._drop_shown()
        return shown

    def _drop_shown(self) -> None:
        if self._shown is not None:
            self._shown.close()
            if self._shown.socket is not None:
                self._shown.socket.close()
        self._shown = self._fresh = self._shown_mono_ms = None

    # ---- the files

    def _files(self) -> tuple[str, ...]:
        access = self._access
        return tuple(name for name in (access.ca_file, access.cert_file, access.key_file) if name and access.tls)

    def _look(self) -> _Seen:
        """What tells one state of the files from another."""
        found = []
        for name in self._files():
            try:
                stat = Path(name).stat()
                found.append((name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append((name, 0, -1, 0))
        return tuple(found)

    def _load(self, seen: _Seen, *, strict: bool) -> _Loaded:
        """A fresh context of the files. Raises DataFault; `strict`: for an own certificate out of its time as well."""
        access, own = self._access, None
        context = access.context()
        for option, name in (("ca_file", access.ca_file), ("cert_file", access.cert_file)):
            if context is None or not name:
                continue
            found = _dates(option, name)
            self._floor.note(f"the issue of {option}", max((one.from_wall_ms for one in found), default=0))
            own = found[0] if option == "cert_file" and found else own
        fault = out_of_time(own, self._floor.now(), f"cert_file {access.cert_file}") if strict and own else ""
        if fault:
            raise DataFault(fault)
        return _Loaded(context, seen, own)

    def _use(self, loaded: _Loaded) -> None:
        if self._used is not None:
            until = f", cert_file valid until {when(loaded.own.until_wall_ms)}" if loaded.own is not None else ""
            self._note(f"renewed certificate files are in use{until}; connecting anew with them", "info")
        self._used, self._refused, self._warn_mono_ms = loaded, ((), ""), 0

    def _refuse(self, seen: _Seen, fault: str, meanwhile: str, again_ms: int) -> None:
        """Told once for each reason."""
        self._again_mono_ms = self._now_mono_ms + again_ms
        if fault != self._refused[1]:
            text = f"renewed certificate files are not used: {fault}; {meanwhile}; put the files right, no restart is needed"
            self._note(text, "warning")
        self._refused = (seen, fault)

    def _warn(self) -> None:
        """Once a day while the own certificate is near its end."""
        own = self._used.own if self._used is not None else None
        if own is None or self._now_mono_ms < self._warn_mono_ms:
            return
        self._warn_mono_ms = self._now_mono_ms + DAY_MS
        if self._floor.now().wall_ms > own.until_wall_ms - WARN_MS:
            until = when(own.until_wall_ms)
            self._note(f"cert_file {self._access.cert_file} is valid until {until} only: renew it in place", "warning")

    def _note(self, text: str, level: Literal["info", "warning"]) -> None:
        self.notes.append(Note("cloud.certificate", text, level))


def _dates(option: str, name: str) -> list[Validity]:
    try:
        return list(validities_in(Path(name).read_text()))
    except (OSError, ValueError, DataFault) as error:
        raise DataFault(f"{option} {name}: {error}") from error


def _said(shown: Dial) -> str:
    """What the broker says to a connection that has said nothing yet: nothing, if it takes the certificate."""
    sock = shown.socket
    assert sock is not None
    try:
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return "the broker spoke before it was spoken to" if sock.recv(1) else "the broker hung up on them"
    except OSError as error:
        return f"the broker refuses them: {error.strerror or error}"
    return ""
