"""What stood before a restart stands after it: latches, holds, SERVICE; a file that nobody understands holds the site."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge._kernel import ffi
from edge.control.authority import COMMAND_HOLD, COMMAND_RUN, COMMAND_SERVICE, Authority
from edge.control.kernel import Kernel, SiteCause, UnitCause, mask, site_row, unit_row
from edge.control.settings import config_struct
from edge.logbook.standstill import FILE, HELD_BEFORE, SERVICE_BEFORE, UNKNOWN, Standstill, StandstillFile, restore
from edge.logbook.standstill import standstill_of as standing_after
from edge.model import CycleRecord
from edge.store.db.checkpoint import CheckpointFile
from hil.demo.site import example_config

CONFIG = example_config()
PCS = CONFIG.unit[0].pcs
SITE_LATCHES = st.sets(st.sampled_from([cause for cause in SiteCause if site_row(cause).latch]))
UNIT_LATCHES = st.sets(st.sampled_from([cause for cause in UnitCause if unit_row(cause).latch]))


def cycle(
    site: set[SiteCause] | None = None, unit: set[UnitCause] | None = None, commands: int = COMMAND_RUN, waits: int = 0,
    mono_ms: int = 1_000,
) -> CycleRecord:  # fmt: skip
    state, tw_input, output = ffi.new("tw_state_t *"), ffi.new("tw_input_t *"), ffi.new("tw_output_t *")
    state.latched, state.unit[0].latched, state.held = mask(*(site or ())), mask(*(unit or ())), waits
    state.first_out, state.first_out_unit = -1, -1
    if unit:
        state.first_out, state.first_out_unit = min(unit), 0
    elif site:
        state.first_out = min(site)
    tw_input.commands = commands
    return CycleRecord(1, mono_ms, 2_000, 0, *(bytes(ffi.buffer(part)) for part in (tw_input, state, output)))


def started(standstill: Standstill) -> tuple[Kernel, Authority]:
    kernel, authority = Kernel(config_struct(CONFIG)), Authority(auto_run=True)
    restore(standstill, CONFIG, kernel, authority, 77)
    return kernel, authority


@given(SITE_LATCHES, UNIT_LATCHES, st.sampled_from([0, COMMAND_HOLD, COMMAND_SERVICE]), st.integers(0, 1))
def test_a_restart_changes_nothing_of_what_stands(
    site: set[SiteCause], unit: set[UnitCause], command: int, waits: int
) -> None:
    before = cycle(site, unit, COMMAND_RUN | command, waits)
    kernel, authority = started(standing_after(CONFIG, before))
    state = kernel.state
    assert (state.latched, state.unit[0].latched, state.held) == (mask(*site), mask(*unit), waits)
    standing = authority.settle(100)
    assert bool(standing.commands & COMMAND_HOLD) == bool(command), "SERVICE comes back as a hold, never as a start"
    if unit or site:
        first = min(unit or site)
        assert (state.first_out, state.first_out_unit) == (first, 0 if unit else -1)
    assert state.first_out_mono_ms == (77 if unit or site else 0)


@given(SITE_LATCHES, UNIT_LATCHES)
def test_the_kernel_keeps_what_was_restored_until_a_reset(site: set[SiteCause], unit: set[UnitCause]) -> None:
    kernel, _ = started(standing_after(CONFIG, cycle(site, unit)))
    for mono_ms in (100, 200, 300):
        kernel.input.mono_ms, kernel.input.commands = mono_ms, COMMAND_RUN
        kernel.step()
    out = kernel.output
    assert out.latched & mask(*site) == mask(*site) and out.unit[0].latched & mask(*unit) == mask(*unit)
    assert not (site or unit) or out.battery_w == 0 == out.unit[0].charge_max_w == out.unit[0].discharge_max_w


def test_the_file_says_what_the_last_change_left_and_a_new_site_has_none(tmp_path: Path) -> None:
    file = StandstillFile(CONFIG, tmp_path)
    assert file.before == Standstill()
    file.note(cycle())
    assert not (tmp_path / FILE).exists()
    file.note(cycle(unit={UnitCause.BMS_TRIP}))
    file.note(cycle(unit={UnitCause.BMS_TRIP}, commands=COMMAND_RUN | COMMAND_HOLD))
    again = StandstillFile(CONFIG, tmp_path).before
    assert again == Standstill(units=((PCS, ("BMS_TRIP",)),), first=("BMS_TRIP", PCS), hold=HELD_BEFORE)
    assert again.text() == f"bms_trip of {PCS} latched; held: {HELD_BEFORE}"
    file.note(cycle())
    assert StandstillFile(CONFIG, tmp_path).before == Standstill()


def test_somebody_in_service_is_not_surprised() -> None:
    assert standing_after(CONFIG, cycle(commands=COMMAND_RUN | COMMAND_SERVICE)).hold == SERVICE_BEFORE


@pytest.mark.parametrize("raw", [b"x", bytes(20_000), b"TWCHECK1" + bytes(16_376)])
def test_a_file_that_cannot_be_read_holds_the_site_and_is_written_anew(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / FILE).write_bytes(raw)
    file = StandstillFile(CONFIG, tmp_path)
    assert file.before.hold == UNKNOWN
    _, authority = started(file.before)
    assert authority.settle(100).commands & COMMAND_HOLD
    file.note(cycle(commands=COMMAND_RUN | COMMAND_HOLD))
    assert StandstillFile(CONFIG, tmp_path).before.hold == HELD_BEFORE


@pytest.mark.parametrize("state", [{}, {"site": 1}, {"site": [], "units": [], "first": [], "waits": 0, "hold": ""}])
def test_a_file_of_another_shape_holds_the_site(tmp_path: Path, state: dict[str, object]) -> None:
    assert CheckpointFile(tmp_path / FILE).write(state)
    assert StandstillFile(CONFIG, tmp_path).before.hold == UNKNOWN


@pytest.mark.parametrize("strange", [
    Standstill(units=(("gone", ("BMS_TRIP",)),)), Standstill(units=((PCS, ("NEW_TRIP",)),)), Standstill(site=("NEW",)),
])  # fmt: skip
def test_a_latch_that_has_no_place_here_holds_the_site(strange: Standstill) -> None:
    _, authority = started(strange)
    assert authority.settle(100).reason == UNKNOWN


def test_a_sick_disk_is_told_and_tried_again_once_a_second(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    file = StandstillFile(CONFIG, folder)
    trip = {UnitCause.BMS_TRIP}
    file.note(cycle(unit=trip))
    assert file.fault
    folder.mkdir()
    file.note(cycle(unit=trip, mono_ms=1_500))
    assert file.fault
    file.note(cycle(unit=trip, mono_ms=2_000))
    assert not file.fault and StandstillFile(CONFIG, folder).before.units == ((PCS, ("BMS_TRIP",)),)
