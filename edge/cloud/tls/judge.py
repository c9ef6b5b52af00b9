"""Whether the broker's certificates hold at this moment, where the clock of the machine must not be asked.

OpenSSL judges by the system's clock. While that is behind what is known to have happened, OpenSSL is told to leave the
dates alone, and they are judged here, over the whole verified chain, by the floor. Nothing but the dates is judged here.
"""

import ssl
from typing import Any

from edge.cloud.dial import tls_remedy
from edge.cloud.tls.validity import expired, not_yet, out_of_time, reading, validity_of
from edge.errors import DataFault
from edge.ops.clockfloor import ClockFloor, Moment

NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME, which Python has no name for
NOT_YET_VALID, EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED
STEP_MS = 60_000  # of the clock: worth a try when the time was what was wrong
LOOK_MS = 1_000


class Judge:
    """Of one link; what a Dial asks. Owned by the link's thread."""

    def __init__(self, floor: ClockFloor) -> None:
        self._floor = floor
        self._wrong_time: tuple[int, Moment] | None = None  # when the time was what was wrong, and what it was
        self._now_mono_ms = self._look_mono_ms = 0

    def begin(self, context: ssl.SSLContext | None, mono_ms: int) -> None:
        """Of an attempt; who judges its dates is chosen anew, for the clock may be right by now."""
        self._wrong_time, self._now_mono_ms = None, mono_ms
        if context is not None:
            raised = self._floor.now().is_raised
            context.verify_flags = context.verify_flags & ~NO_CHECK_TIME | (NO_CHECK_TIME if raised else 0)

    def hurry(self, mono_ms: int) -> bool:
        """Whether to try at once: the time was what was wrong, and the clock has been put right, or at least set."""
        if self._wrong_time is None or mono_ms < self._look_mono_ms:
            return False
        self._look_mono_ms = mono_ms + LOOK_MS
        (then_mono_ms, then), now = self._wrong_time, self._floor.now()
        moved_ms = now.wall_ms - then.wall_ms - (mono_ms - then_mono_ms)
        if abs(moved_ms) < STEP_MS and now.synced == then.synced:
            return False
        self._wrong_time = None
        return True

    def verdict(self, sock: ssl.SSLSocket) -> str:
        """What is wrong with the dates of the broker's chain when the clock cannot judge them; "" for nothing."""
        moment = self._floor.now()
        if not sock.context.verify_flags & NO_CHECK_TIME:
            return ""  # OpenSSL has judged them by the clock
        for index, der in enumerate(_chain(sock)):
            whose = "a certificate above the broker's" if index else "the broker's certificate"
            try:
                fault = out_of_time(validity_of(der), moment, whose)
            except DataFault as unreadable:
                fault = f"{whose}: {unreadable}"
            if fault:
                self._wrong_time = (self._now_mono_ms, moment)
                return fault
        return ""

    def remedy(self, error: OSError) -> str:
        """What to do about a fault of TLS."""
        code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
        if code not in (NOT_YET_VALID, EXPIRED):
            return tls_remedy(error)
        moment = self._floor.now()
        self._wrong_time = (self._now_mono_ms, moment)
        is_early = code == NOT_YET_VALID
        what = f"a certificate of the broker is {'not yet valid by this clock' if is_early else 'expired'}"
        return f"; {what}, {reading(moment)}; {not_yet(moment) if is_early else expired(moment)}"


def _chain(sock: ssl.SSLSocket) -> list[bytes]:
    """The verified chain in DER, the broker's own first. Python before 3.13 has it in the inner object only."""
    found = getattr(sock, "get_verified_chain", None)
    if found is not None:
        return [bytes(one) for one in found()]
    inner: Any = sock._sslobj  # type: ignore[attr-defined]  # no stub names it; Python 3.11 and 3.12 have nothing else
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner.get_verified_chain()]
