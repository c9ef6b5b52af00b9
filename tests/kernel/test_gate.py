"""The gate: what is not listed does not pass; power inside the last output's band, orders while ordered, not too often."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control.kernel import Gate, GateKind, Mode, Order, mask
from tests.kernel.rig import RUN, Rig

ALL_MODES = mask(*Mode)
POWER = {
    "port_index": 0, "address": 2, "function": 6, "kind": GateKind.POWER, "reg": 135, "count": 1, "value_min": -30_000,
    "value_max": 30_000, "scale_w": 100, "unit_index": 0, "modes": mask(Mode.RUN), "order": 0, "interval_ms": 0,
}  # fmt: skip
VALUE = POWER | {"kind": GateKind.VALUE, "reg": 300, "value_min": 1, "value_max": 5, "modes": ALL_MODES}
START = POWER | {"kind": GateKind.ORDER, "reg": 650, "value_min": 1, "value_max": 1, "modes": ALL_MODES,
                 "order": Order.START}  # fmt: skip


@dataclass
class Asked:
    """A gate with one rule of unit 0, asked at the rule's own register."""

    rig: Rig
    rule: dict[str, int]

    def __post_init__(self) -> None:
        self.gate = Gate([self.rule], self.rig.out)

    def __call__(self, value: int, mono_ms: int = 0, **other: int) -> bool:
        names = ("port_index", "address", "function", "reg", "count")
        write = {name: other.get(name, self.rule[name]) for name in names}
        return self.gate.allowed(**write, value=value, mono_ms=mono_ms)


def test_power_passes_only_inside_the_band_of_the_last_output() -> None:
    rig = Rig().run()
    asked = Asked(rig, POWER)
    assert asked(300) and asked(-300) and not asked(301) and not asked(-301)
    rig.step(soc_cpct=1_000)
    assert not asked(1) and asked(-1) and asked(0)
    rig.step(commands=0)
    assert asked(0) and not asked(-1) and not asked(1)


@pytest.mark.parametrize("spoiled", [{"io_age_ms": 2_001}, {"poc_age_ms": 3_001}])
def test_no_power_passes_while_only_the_site_forbids(spoiled: dict[str, int]) -> None:
    rig = Rig().run()
    asked = Asked(rig, POWER)
    assert asked(10)
    rig.step(**spoiled)
    assert not asked(1) and not asked(-1) and asked(0)


def test_a_scale_with_a_sign_turns_the_band() -> None:
    rig = Rig().run()
    rig.step(current_charge_max_da=100)
    asked = Asked(rig, POWER | {"scale_w": -100})
    assert asked(76) and not asked(77) and asked(-300) and not asked(-301)


def test_a_power_rule_without_a_scale_passes_nothing_but_zero() -> None:
    asked = Asked(Rig().run(), POWER | {"scale_w": 0})
    assert asked(0) and not asked(1) and not asked(-1)


def test_an_order_passes_only_while_the_kernel_gives_it() -> None:
    rig = Rig()
    rig.put(pcs_flags=16)
    rig.step(20)
    asked = Asked(rig, START)
    assert rig.unit().order == Order.START and asked(1)
    rig.step(commands=0)
    assert not asked(1)


@pytest.mark.parametrize("mode", [Mode.RUN, Mode.STANDBY])
def test_a_value_passes_in_its_modes_only(mode: Mode) -> None:
    rig = Rig().run()
    for rule, value in ((VALUE, 1), (VALUE | {"unit_index": -1}, 1), (POWER, 1)):
        assert Asked(rig, rule | {"modes": mask(mode)})(value) == (mode == Mode.RUN)


def test_zero_power_passes_whatever_mode_and_interval_say() -> None:
    rig = Rig().run()
    asked = Asked(rig, POWER | {"interval_ms": 1_000_000})
    assert asked(10, 0) and not asked(11, 10) and asked(0, 20) and asked(0, 21)
    rig.step(commands=0)
    assert asked(0, 22)


def test_the_range_of_a_rule_holds_for_zero_too() -> None:
    assert not Asked(Rig().run(), POWER | {"value_min": 1})(0)


def test_a_row_rests_for_its_interval() -> None:
    asked = Asked(Rig().run(), VALUE | {"interval_ms": 5_000})
    assert asked(1, 7) and not asked(1, 5_006) and asked(1, 5_007) and not asked(1, 10_006)
    assert not asked(9, 20_000) and asked(1, 20_000), "what is refused stamps nothing"
    assert asked(1, 0), "a clock that ran backwards is a long time"


def test_the_first_write_is_free_and_a_negative_interval_never_rests() -> None:
    asked = Asked(Rig().run(), VALUE | {"interval_ms": -1})
    assert asked(1, -(2**63) + 5) and not asked(1, 0) and not asked(1, 2**62)


@pytest.mark.parametrize(("unit_index", "kind", "passes"), [
    (-1, GateKind.VALUE, True), (-1, GateKind.POWER, False), (-1, GateKind.ORDER, False), (-2, GateKind.VALUE, False),
    (8, GateKind.VALUE, False), (8, GateKind.POWER, False), (0, 3, False), (0, 255, False),
])  # fmt: skip
def test_a_rule_of_no_unit_or_no_kind_fails(unit_index: int, kind: int, passes: bool) -> None:
    rule = POWER | {"unit_index": unit_index, "kind": kind, "modes": ALL_MODES, "order": Order.NONE}
    assert Asked(Rig().run(), rule)(0) == passes


def test_the_first_row_that_passes_is_the_one_that_is_stamped() -> None:
    rig = Rig().run()
    gate = Gate([VALUE | {"value_max": 2, "interval_ms": 100}, VALUE | {"interval_ms": 100}], rig.out)
    write = (0, 2, 6, 300, 1)
    assert gate.allowed(*write, 1, 0) and gate.allowed(*write, 1, 1) and not gate.allowed(*write, 1, 2)
    assert gate.refused_count == 1


@given(
    st.integers(0, 2), st.integers(0, 4), st.sampled_from([1, 3, 4, 5, 6, 15, 16, 22, 23]),
    st.sampled_from([135, 300, 650, 0, 65_535]), st.integers(0, 3), st.integers(-40_000, 40_000),
)  # fmt: skip
def test_what_no_rule_lists_never_passes(port: int, address: int, fc: int, reg: int, count: int, value: int) -> None:
    listed = {(0, 2, 6, 135, 1): range(-300, 301), (0, 2, 6, 300, 1): range(1, 6), (0, 2, 6, 650, 1): range(0)}
    gate = Gate([POWER, VALUE, START], RUNNING.out)
    where = (port, address, fc, reg, count)
    assert gate.allowed(*where, value, 0) == (value in listed.get(where, range(0)))


RUNNING = Rig().run()


@pytest.mark.parametrize("function", [1, 2, 3, 4, 22, 23, 43, 0, 255])
def test_a_function_that_does_not_write_passes_nowhere(function: int) -> None:
    assert not Asked(RUNNING, VALUE | {"function": function})(1)


def test_a_mode_that_does_not_exist_is_in_no_set() -> None:
    rig = Rig().run()
    asked = Asked(rig, VALUE | {"modes": 0xFFFFFFFF})
    assert asked(1)
    rig.out.unit[0].mode = 37
    assert not asked(1)
    assert rig.step(commands=RUN).mode == Mode.RUN
