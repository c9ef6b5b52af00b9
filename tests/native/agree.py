"""The oracle on the guard's vectors: the C and the oracle take every cycle and every write of the vector file, each from its
own state, and every field is compared. So the golden hash of the guard is not only what the C does, but what the handbook
says. `python -m tests.native.agree`; `make golden` runs it first.
"""

import struct
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from edge._kernel import ffi, lib
from tests.kernel.duel.duel import Disagreement, Duel
from tests.kernel.oracle import bridge as b
from tests.kernel.oracle import records as r
from tests.kernel.oracle import words as w
from tests.kernel.oracle.gate import tx_allowed
from tests.native import corpus

HEAD, WORD, PATCH, TIMES = struct.Struct("=II"), struct.Struct("=Ii"), struct.Struct("=HHIq"), struct.Struct("=iiqqq")
CONFIG, ONE_WORD, STATE_BYTES, CYCLE, WRITE, CHANGE = range(1, 7)  # enum record_kind
RULES = 3  # vectors.h


class Match:
    """C and oracle on one site after the other."""

    def __init__(self) -> None:
        self.duel: Any = None
        self.config = ffi.new("tw_config_t *")

    def take(self, kind: int, body: bytes) -> None:
        """One record. Raises Disagreement."""
        if kind == CONFIG:
            ffi.buffer(self.config)[:] = body
        if kind in (ONE_WORD, CHANGE):
            at, value = WORD.unpack(body)
            ffi.buffer(self.duel.config if kind == CHANGE else self.config)[at : at + 4] = struct.pack("=i", value)
        if kind in (CONFIG, ONE_WORD):
            output = bytes(self.duel.raw_output) if self.duel else b""
            self.duel = Duel(self.config, hostile=True)
            self.duel.raw_output[: len(output)] = output  # tw_init leaves it alone, and the gate looks at it
        elif kind == CHANGE:
            self.duel.adopt_config()
        elif kind == STATE_BYTES:
            of_unit, size, offset, value = PATCH.unpack(body)
            at = offset + (b.UNIT_STATES_AT if of_unit else 0)
            raw = bytearray(self.duel.raw_state)
            raw[at : at + size] = struct.pack("=q", value)[:size]
            self.duel.load_state(bytes(raw))
        elif kind == CYCLE:
            self.step(body)
        elif kind == WRITE:
            self.write(body)

    def step(self, body: bytes) -> None:
        first, size = b.INPUT.offset["unit"], b.UNIT_INPUT.size
        units = [list(b.UNIT_INPUT.unpack_from(body, first + n * size)) for n in range(w.UNITS)]
        wish = b.WISH.unpack_from(body, first + w.UNITS * size)
        self.duel.step(list(b.INPUT.unpack_from(body)), units, list(wish))

    def write(self, body: bytes) -> None:
        size = b.RULE.size
        rules = [r.Rule._make(b.RULE.unpack_from(body, n * size)) for n in range(RULES)]
        count, mode_shown, *written = TIMES.unpack_from(body, RULES * size)
        output = self.duel.output
        if mode_shown >= 0:
            output.mode = mode_shown
            for unit in output.unit:
                unit.mode = mode_shown
        write = body[RULES * size + TIMES.size :]
        theirs = ffi.new("int64_t[]", written)
        c_rules, c_write = ffi.from_buffer("tw_gate_rule_t[]", body[: RULES * size]), ffi.new("tw_write_t *")
        ffi.buffer(c_write)[:] = write[: ffi.sizeof("tw_write_t")]
        verdict = lib.tw_tx_allowed(c_rules, theirs, count, output, c_write)
        seen = b.read_output(self.duel.raw_output)
        ours = tx_allowed(rules[:count], written, seen, b.read_write(ffi.buffer(c_write)))
        if (verdict, list(theirs)) != (ours, written):
            raise Disagreement(f"gate: C {verdict} oracle {ours}")


def check(file: Path) -> Counter[int]:
    """How many records of each kind agreed. Raises Disagreement with the record's number."""
    match, seen, at, data = Match(), Counter[int](), 0, file.read_bytes()
    while at < len(data):
        kind, size = HEAD.unpack_from(data, at)
        at += HEAD.size
        try:
            match.take(kind, data[at : at + size])
        except Disagreement as fault:
            raise Disagreement(f"record {seen.total()} of kind {kind}: {fault}") from None
        seen[kind] += 1
        at += size
    return seen


def main() -> int:
    try:
        seen = check(corpus.vectors())
    except Disagreement as fault:
        print(f"the oracle disagrees: {fault}")
        return 1
    print(
        f"the oracle agrees: {seen[CONFIG] + seen[ONE_WORD]} configurations, {seen[CYCLE]} cycles, {seen[WRITE]} writes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
