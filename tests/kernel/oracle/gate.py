"""The gate (section 10): the first rule that lists a write and lets it pass."""

from collections.abc import Sequence
from typing import Any

from tests.kernel.oracle.words import INT64_MIN, KIND_ORDER, KIND_POWER, KIND_VALUE, MODES, U64, UNITS


def lists(rule: Any, write: Any) -> bool:
    same = (
        rule.port_index == write.port_index
        and rule.address == write.address
        and rule.function == write.function
        and rule.reg == write.reg
        and rule.count == write.count
    )
    return same and rule.function in (5, 6, 15, 16) and rule.value_min <= write.value <= rule.value_max


def rested(rule: Any, written_ms: int, write: Any) -> bool:
    return (
        written_ms == INT64_MIN or (write.mono_ms - written_ms) & U64 >= rule.interval_ms & U64
    )  # a negative one is endless


def passes(rule: Any, written_ms: int, output: Any, write: Any) -> bool:
    site = rule.unit_index == -1
    if not site and not 0 <= rule.unit_index < UNITS:
        return False
    if rule.kind not in (KIND_VALUE, KIND_POWER, KIND_ORDER) or (site and rule.kind != KIND_VALUE):
        return False
    place = output if site else output.unit[rule.unit_index]
    if rule.kind == KIND_POWER:
        if write.value == 0:
            return True
        power = write.value * rule.scale_w
        if rule.scale_w == 0 or not -place.charge_max_w <= power <= place.discharge_max_w:
            return False
    if rule.kind == KIND_ORDER and rule.order != place.order:
        return False
    return place.mode < len(MODES) and rule.modes >> place.mode & 1 == 1 and rested(rule, written_ms, write)


def tx_allowed(rules: Sequence[Any], written_ms: list[int], output: Any, write: Any) -> int:
    """The row that lets the write pass, which is stamped, or -1."""
    for index, rule in enumerate(rules):
        if lists(rule, write) and passes(rule, written_ms[index], output, write):
            written_ms[index] = write.mono_ms
            return index
    return -1
