"""The gate in C beside its oracle, on rules and writes of which most are almost alike."""

from random import Random
from typing import Any

from edge._kernel import ffi, lib
from tests.kernel.duel.sites import near
from tests.kernel.oracle import bridge as b
from tests.kernel.oracle import records as r
from tests.kernel.oracle import words as w
from tests.kernel.oracle.gate import tx_allowed

RULES = 6


def draw_output(rng: Random) -> Any:
    """As much of an output as the gate looks at, in the C struct."""
    output = ffi.new("tw_output_t *")
    output.mode = rng.choice((0, 5, 5, 11, 12, 31, 32, w.U32))
    for unit in output.unit:
        unit.mode, unit.order = (
            rng.choice(rng.choice(((0, 5, 11), (5,), (5,), (12, 31, 32, 37, w.U32)))),
            rng.randrange(6),
        )
        unit.charge_max_w = rng.choice((0, 1, 30_000, w.LIMIT))
        unit.discharge_max_w = rng.choice((0, 1, 30_000, w.LIMIT))
    return output


def draw_rule(rng: Random) -> dict[str, int]:
    low, high = sorted((rng.choice((-1, 0, 1, -300, w.INT32_MIN)), rng.choice((0, 1, 300, 5, 40_000, w.INT32_MAX))))
    return {
        "port_index": rng.choice((0, 0, 0, 255)), "address": rng.choice((1, 1, 1, 2)),
        "function": rng.choice((6, 16, 5, 15, rng.choice((6, 3, 0, 255)))),
        "kind": rng.choice((0, 1, 1, 2, 2, rng.choice((1, 3, 255)))),
        "reg": rng.choice((10, 10, 10, 65_535)), "count": rng.choice((1, 1, 1, 2)),
        "value_min": low, "value_max": high, "scale_w": rng.choice((0, 1, -1, 100, -100, w.INT32_MAX, w.INT32_MIN)),
        "unit_index": rng.choice((0, 0, 0, 1, 7, -1, rng.choice((0, -1, 8, -2, w.INT32_MAX, w.INT32_MIN)))),
        "modes": rng.choice((w.U32, w.U32, 1 << 5, 1 << 5, rng.getrandbits(32))), "order": rng.randrange(-1, 6),
        "interval_ms": rng.choice((0, 0, 1, 1_000, w.INT32_MAX, -1, w.INT32_MIN)),
    }  # fmt: skip


def draw_write(rng: Random, rules: list[dict[str, int]], output: Any, written: list[int]) -> dict[str, int]:
    """Most often what one of the rules lists, with a value and a time at one of its edges."""
    row = rng.randrange(len(rules))
    rule = rules[row]
    scale, unit = rule["scale_w"] or 1, output.unit[rule["unit_index"] % w.UNITS]
    edges = (rule["value_min"], rule["value_max"], 0, unit.discharge_max_w // scale, -unit.charge_max_w // scale)
    before = written[row] if written[row] != w.INT64_MIN else 0
    mono_ms = before + rng.choice((rule["interval_ms"], rule["interval_ms"] - 1, 0, -1, 1))
    write = {
        "value": rng.choice(near(rng.choice(edges))),
        "mono_ms": (mono_ms + 2**63) % 2**64 - 2**63,
    } | {name: rule[name] for name in ("port_index", "address", "function", "reg", "count")}
    if rng.random() < 0.2:
        name = rng.choice(("port_index", "address", "function", "reg", "count"))
        write[name] = rng.randrange(3)
    return write


def fill(struct: Any, values: dict[str, int]) -> None:
    for name, value in values.items():
        setattr(struct, name, value)


def play_gate(seed: int, writes: int) -> set[int]:
    """One set of rules against many writes; returns the kinds of rule that passed one. Raises AssertionError."""
    rng = Random(seed)
    output, rules, write = draw_output(rng), ffi.new("tw_gate_rule_t[]", RULES), ffi.new("tw_write_t *")
    drawn = [draw_rule(rng) for _ in range(RULES)]
    for rule, values in zip(rules, drawn, strict=True):
        fill(rule, values)
    written = [rng.choice((w.INT64_MIN, w.INT64_MIN, 0, 5, w.INT64_MIN + 1, -w.INT64_MIN - 1)) for _ in range(RULES)]
    theirs = ffi.new("int64_t[]", written)
    ours_rules = [r.Rule(**values) for values in drawn]
    count, seen = rng.choice((RULES, RULES, 1, 0, -1)), b.read_output(ffi.buffer(output))
    passed = set()
    for n in range(writes):
        fill(write, draw_write(rng, drawn, output, written))
        ours = tx_allowed(ours_rules[: max(count, 0)], written, seen, b.read_write(ffi.buffer(write)))
        verdict = lib.tw_tx_allowed(rules, theirs, count, output, write)
        assert (verdict, list(theirs)) == (ours, written), f"seed {seed} write {n}: C {verdict} oracle {ours}"
        passed |= {drawn[ours]["kind"]} if ours >= 0 else set()
    return passed
