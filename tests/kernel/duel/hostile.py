"""The guard with another clever half: it answers with the bits that stand at the front of its own state.

So a test chooses what crosses the door, any bits at all. The C is that of `native/`, all of it, but for the two
functions of `wish.c`, which are renamed away. The library is kept in native/build under the hash of what it is made of.
"""

import ctypes
import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from edge._kernel import ffi

NATIVE = Path(__file__).resolve().parents[3] / "native"
FLAGS = ["-O2", "-std=c11", "-fPIC", "-shared", "-fvisibility=default"]
AWAY = ["-Dtw_wish=tw_wish_of_the_kernel", "-Dtw_wish_config_ok=tw_wish_config_ok_of_the_kernel"]
ANSWER = """
#include "door.h"
void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view,
             tw_wish_t *wish) {
    const unsigned char *from = (const unsigned char *)state;
    unsigned char *to = (unsigned char *)wish;
    (void)config, (void)input, (void)view;
    for (unsigned i = 0; i < sizeof *wish; i++) to[i] = from[i];
}
bool tw_wish_config_ok(const tw_config_t *config) { return config != 0; }
"""


WISH = ("wish.c", "wish_config.c")  # what answers at the door


def sources() -> list[Path]:
    return sorted(path for path in NATIVE.glob("*.[ch]"))


def build(target: Path) -> None:
    """Compiles into a name of this process, then renames: two processes may build at once."""
    compiler = os.environ.get("CC", "cc")
    part = target.with_suffix(f".{os.getpid()}")
    answer, wish = part.with_suffix(".c"), part.with_suffix(".o")
    answer.write_text(ANSWER)
    call = [compiler, *FLAGS[:-2], f"-I{NATIVE}"]
    subprocess.run([*call, *AWAY, "-c", str(NATIVE / "wish.c"), "-o", str(wish)], check=True)
    others = [str(path) for path in sources() if path.suffix == ".c" and path.name not in WISH]
    subprocess.run([compiler, *FLAGS, f"-I{NATIVE}", *others, str(answer), str(wish), "-o", str(part)], check=True)
    part.replace(target)
    answer.unlink()
    wish.unlink()


@cache
def hostile_library() -> ctypes.CDLL:
    digest = hashlib.sha256(ANSWER.encode() + b"".join(path.read_bytes() for path in sources())).hexdigest()[:16]
    target = NATIVE / "build" / f"hostile_{digest}.so"
    target.parent.mkdir(exist_ok=True)
    if not target.exists():
        build(target)
    return ctypes.CDLL(str(target))


def address(struct: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(int(ffi.cast("uintptr_t", struct)))
