"""The gate: what is not listed does not pass; power only inside the last output's band; a start only while ordered."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edge.config.reader import load_config
from edge.control.kernel import Gate, ffi
from edge.field.device import BusDevice
from edge.field.profiles.loader import load_profile
from edge.field.rules import gate_rules
from tests.kernel.rig import EXAMPLE, Rig

POWER_SET, START, STOP, WATCHDOG = 135, 650, 651, 327


def gate_of(rig: Rig) -> Gate:
    config = load_config(EXAMPLE)
    devices = [BusDevice(device, load_profile(device.profile)) for device in config.device]
    return Gate(gate_rules(config, devices), rig.out)


def test_power_passes_only_inside_the_band_of_the_last_output() -> None:
    rig = Rig().run()
    gate = gate_of(rig)
    assert gate.allowed(0, 2, 6, POWER_SET, 1, 300)
    assert not gate.allowed(0, 2, 6, POWER_SET, 1, 301)
    rig.step(soc_cpct=1_000)
    assert not gate.allowed(0, 2, 6, POWER_SET, 1, 1) and gate.allowed(0, 2, 6, POWER_SET, 1, -1)
    rig.step(commands=0)
    assert gate.allowed(0, 2, 6, POWER_SET, 1, 0) and not gate.allowed(0, 2, 6, POWER_SET, 1, -1)


def test_a_start_passes_only_while_the_kernel_orders_it() -> None:
    rig = Rig()
    gate = gate_of(rig)
    rig.step(20, pcs_flags=16)
    assert gate.allowed(0, 2, 6, START, 1, 1) and gate.allowed(0, 2, 6, STOP, 1, 1)
    rig.step(commands=0)
    assert not gate.allowed(0, 2, 6, START, 1, 1) and gate.allowed(0, 2, 6, STOP, 1, 1)


def test_a_watchdog_may_be_shortened_never_lengthened() -> None:
    gate = gate_of(Rig().run())
    assert gate.allowed(0, 2, 6, WATCHDOG, 1, 5)
    assert not gate.allowed(0, 2, 6, WATCHDOG, 1, 6) and not gate.allowed(0, 2, 6, WATCHDOG, 1, 0)


@given(
    st.integers(0, 3), st.integers(0, 255), st.sampled_from([3, 5, 6, 15, 16, 22, 23]),
    st.sampled_from([POWER_SET, START, STOP, 652, 653, 656, 327, 0x2010, 0x20F4, 0x201D]), st.integers(0, 3),
    st.integers(-40_000, 70_000),
)  # fmt: skip
def test_what_no_profile_lists_never_passes(port: int, address: int, fc: int, reg: int, count: int, value: int) -> None:
    gate = gate_of(Rig().run())
    listed = {(0, 2, 6, r) for r in (POWER_SET, START, STOP, 652, 327)} | {(1, 1, 6, r) for r in (0x2010, 0x20F4)}
    if gate.allowed(port, address, fc, reg, count, value):
        assert (port, address, fc, reg) in listed and count == 1


def test_the_abi_file_is_the_cdef_and_the_sizes_are_those_of_c() -> None:
    text = (Path(__file__).parents[2] / "native" / "kernel.h").read_text()
    for name in ("config", "input", "state", "output"):
        assert f"sizeof(tw_{name}_t) == {ffi.sizeof(f'tw_{name}_t')}" in text
