"""Whether the kernel of this machine holds its clock to be synchronised. Nothing here asks for the time itself."""

import ctypes
import functools
from typing import Any

TIMEX_BYTES = 256  # more than struct timex on any architecture; zero: change nothing
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def is_synchronised() -> bool | None:
    """True or False as adjtimex(2) says; None where it says nothing."""
    try:
        state = _libc().adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None)
