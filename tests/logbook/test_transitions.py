"""Events out of cycles and pictures: every change once, what flaps is held back and counted."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge._kernel import ffi
from edge.control.kernel import Level, Mode, SiteCause, UnitCause, site_row, unit_row
from edge.logbook.damper import BURST_COUNT, Damper
from edge.logbook.health import HealthWatch, StatusWatch
from edge.logbook.transitions import SETTLE_MS, Transitions
from edge.model import CycleRecord, DeviceHealth, Event, PortHealth, SiteHealth, UplinkStatus
from hil.demo.site import example_config

CONFIG = example_config()
UNIT = CONFIG.unit[0].pcs


def cycle(mode: Mode = Mode.RUN, why: int = 0, unit_why: int = 0, unit_mode: Mode = Mode.RUN) -> CycleRecord:
    output = ffi.new("tw_output_t *")
    output.mode, output.why = mode, why
    output.unit[0].mode, output.unit[0].why = unit_mode, unit_why
    blank = (bytes(ffi.sizeof("tw_input_t")), bytes(ffi.sizeof("tw_state_t")))
    return CycleRecord(1, 1_000, 2_000, 0, *blank, bytes(ffi.buffer(output)))


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def test_modes_and_interlocks_are_told_when_they_change_and_not_otherwise() -> None:
    watch = Transitions(CONFIG)
    assert [event.text for event in watch.note(cycle(Mode.BOOT)) if event.name == "mode"] == ["start -> BOOT"]
    assert watch.note(cycle(Mode.BOOT)) == []
    (moved,) = [event for event in watch.note(cycle(Mode.RUN)) if event.name == "mode"]
    assert (moved.text, moved.level, moved.mono_ms, moved.wall_ms) == ("BOOT -> RUN", "info", 1_000, 2_000)
    stale = 1 << SiteCause.POC_STALE
    risen = watch.note(cycle(Mode.FAULT, stale, 1 << UnitCause.BMS_TRIP))
    assert names(risen) == ["poc_stale", f"bms_trip.{UNIT}", "mode"]
    assert {event.level for event in risen} == {"alarm"}
    assert "{" not in "".join(event.text for event in risen) and "show bus" in risen[0].text
    assert watch.note(cycle(Mode.FAULT, stale, 1 << UnitCause.BMS_TRIP)) == []
    gone = watch.note(cycle(Mode.RUN))
    assert names(gone) == ["poc_stale.clear", f"bms_trip.{UNIT}.clear", "mode"]
    assert {event.level for event in gone} == {"info"}


def later(record: CycleRecord, mono_ms: int) -> CycleRecord:
    return dataclasses.replace(record, mono_ms=mono_ms)


def test_what_a_start_has_not_read_yet_is_no_news_but_a_device_that_stays_silent_is() -> None:
    stale = cycle(Mode.BOOT, 1 << SiteCause.POC_STALE, 1 << UnitCause.BMS_STALE, Mode.BOOT)
    watch = Transitions(CONFIG)
    assert names(watch.note(stale)) == [f"mode.{UNIT}", "mode"]
    assert watch.note(later(stale, 1_000 + SETTLE_MS - 1)) == []
    told = watch.note(later(stale, 1_000 + SETTLE_MS))
    assert names(told) == ["poc_stale", f"bms_stale.{UNIT}"] and {event.level for event in told} == {"alarm"}


def test_what_stands_when_the_boot_is_over_is_told_at_once() -> None:
    watch = Transitions(CONFIG)
    watch.note(cycle(Mode.BOOT, 1 << SiteCause.POC_STALE, unit_mode=Mode.BOOT))
    told = watch.note(cycle(Mode.INIT, 1 << SiteCause.POC_STALE, unit_mode=Mode.INIT))
    assert names(told) == ["poc_stale", f"mode.{UNIT}", "mode"] and told[0].level == "alarm"


@pytest.mark.parametrize("cause", [UnitCause.PCS_STOPPED, UnitCause.BMS_OPEN, UnitCause.CHARGE_FORBIDDEN])
def test_a_unit_at_rest_is_an_alarm_only_when_it_was_running(cause: UnitCause) -> None:
    resting = Transitions(CONFIG)
    resting.note(cycle(Mode.STANDBY, unit_mode=Mode.STANDBY))
    assert [e.level for e in resting.note(cycle(Mode.STANDBY, 0, 1 << cause, Mode.STANDBY))] == ["info"]
    running = Transitions(CONFIG)
    running.note(cycle())
    level = running.note(cycle(Mode.STANDBY, 0, 1 << cause, Mode.STANDBY))[0].level
    assert level == ("alarm" if unit_row(cause).level >= Level.ZERO else "warning")


@pytest.mark.parametrize("cause", [*SiteCause, *UnitCause], ids=lambda cause: f"{type(cause).__name__}.{cause.name}")
def test_every_cause_above_info_has_an_event_and_the_daily_ones_have_none(cause: SiteCause | UnitCause) -> None:
    watch = Transitions(CONFIG)
    watch.note(cycle())
    on_site = isinstance(cause, SiteCause)
    found = watch.note(cycle(why=1 << cause) if on_site else cycle(unit_why=1 << cause))
    level = (site_row(cause) if isinstance(cause, SiteCause) else unit_row(cause)).level
    assert bool(found) == (level > Level.INFO)
    for event in found:
        assert event.name == cause.name.lower() + ("" if on_site else f".{UNIT}")
        assert event.level == ("alarm" if level >= Level.ZERO else "warning") and "{" not in event.text


def health(gate_count: int = 0, *, is_open: bool = True, refused_count: int = 0, **device: object) -> SiteHealth:
    counts = (9, 0, 0, 0, 0, gate_count, 0)
    told: dict[str, object] = {"guarded": True, "write_failed": False, **device}
    one = DeviceHealth("pcs", "rs1", 1, 9, 9, 0, counts, 0, 0, **told)  # type: ignore[arg-type]  # by name
    return SiteHealth(5, 6, (one,), (PortHealth("rs1", 0, is_open, "gone"),), refused_count, "reset from fleet")


def test_refused_writes_wrong_devices_and_lost_ports_are_told() -> None:
    watch = HealthWatch()
    assert watch.note(health()) == []
    assert names(watch.note(health(3))) == ["write_refused.pcs"]
    assert watch.note(health(3)) == []
    assert names(watch.note(health(3, is_open=False, refused_count=2))) == ["port.rs1", "request_refused"]
    assert names(watch.note(health(3, write_failed=True, identity_fault="a meter", refused_count=2))) == [
        "write_failed.pcs", "identity.pcs", "port.rs1"
    ]  # fmt: skip
    assert names(watch.note(health(3, refused_count=2))) == ["write_failed.pcs", "identity.pcs"]


def test_store_cloud_and_lost_records_are_told() -> None:
    watch = StatusWatch()
    assert watch.note(1, 2, UplinkStatus(), "") == []
    assert names(watch.note(1, 2, UplinkStatus(connected=True), "")) == ["cloud"]
    (fault,) = watch.note(1, 2, UplinkStatus(connected=True), "journal.db: database or disk is full")
    assert (fault.name, fault.level) == ("store.fault", "alarm") and "full" in fault.text
    assert watch.note(1, 2, UplinkStatus(connected=True), "journal.db: database or disk is full") == []
    assert names(watch.note(1, 2, UplinkStatus(dropped_count=4), "")) == ["store.well", "cloud", "records_dropped"]


@given(st.lists(st.integers(0, 5_000), max_size=300))
def test_what_flaps_is_held_back_and_every_one_is_counted(gaps_ms: list[int]) -> None:
    damper, mono_ms, told, counted = Damper(), 0, 0, 0
    for gap_ms in gaps_ms:
        mono_ms += gap_ms
        passed = damper.passes(Event(mono_ms, 0, "door", "a door is open", "warning"))
        if passed is not None:
            told += 1
            counted += 1 + int(passed.text.partition("(")[2].split(" ")[0] or 0)
    counted += sum(damper._held.values())
    assert counted == len(gaps_ms) and told <= BURST_COUNT + mono_ms // 60_000 + 1
