"""The transition table, pair by pair, against the one printed in deploy/handbook/kernel.md; the site's mode; orders.

`python -m tests.kernel.diagram` prints the kernel's own table and diagram, which modes.md shows.
"""

import re
from pathlib import Path

import pytest

from edge.control.kernel import Event, Mode, Order, SiteFlag, lib
from tests.kernel.diagram import diagram, table
from tests.kernel.rig import BMS_OK, ESTOP, HOLD, PCS_OK, RUN, SERVICE, Rig

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "handbook"
HANDBOOK = FOLDER / "kernel.md"


def handbook_table() -> dict[tuple[Mode, Event], Mode]:
    """The rows of the table whose head is `| mode | ESTOP | ...`."""
    lines = HANDBOOK.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("| mode | ESTOP"))
    events = [Event[word.strip()] for word in lines[begin].strip("|").split("|")[1:]]
    table = {}
    for line in lines[begin + 2 : begin + 2 + len(Mode)]:
        name, *cells = (word.strip() for word in line.strip("|").split("|"))
        for event, cell in zip(events, cells, strict=True):
            table[Mode[name], event] = Mode[name] if cell == "." else Mode[cell]
    return table


TABLE = handbook_table()


def test_the_handbook_has_every_pair() -> None:
    assert len(TABLE) == len(Mode) * len(Event) == 144


@pytest.mark.parametrize("mode", Mode, ids=lambda mode: mode.name)
def test_every_pair_leads_where_the_handbook_says(mode: Mode) -> None:
    for event in Event:
        assert lib.tw_next_mode(mode, event) == TABLE[mode, event], event.name


def test_the_handbook_shows_the_kernels_own_table_and_diagram() -> None:
    print("\n".join([*table(), *diagram()]))
    shown = (FOLDER / "modes.md").read_text()
    for part in (table(), diagram()):
        assert "\n".join(part) in shown, "run `python -m tests.kernel.diagram` and put what it prints into modes.md"


def test_into_run_leads_only_a_start_that_is_done() -> None:
    into = [(mode, event) for mode in Mode for event in Event if lib.tw_next_mode(mode, event) == Mode.RUN != mode]
    assert into == [(Mode.START, Event.DONE)]


def test_what_does_not_exist_stays_or_begins_again() -> None:
    for number in (12, 99, 2**31, 2**32 - 1):
        assert all(lib.tw_next_mode(number, event) == Mode.BOOT for event in Event)
        assert all(lib.tw_next_mode(mode, number) == mode for mode in Mode)


def test_the_order_of_events_and_site_modes_is_that_of_the_handbook() -> None:
    text = HANDBOOK.read_text()
    listed = re.findall(
        r"^\| ([A-Z_]+) \|", text[text.index("| event | true when") : text.index("| mode | ESTOP")], re.M
    )
    assert listed == [event.name for event in Event]


SITE_ORDER = [Mode[name] for name in (
    "ESTOP", "SERVICE", "ISLAND", "RUN", "START", "CONNECT", "STOPPING", "LOCAL", "STANDBY", "INIT", "BOOT", "FAULT",
)]  # fmt: skip


def settled(mode: Mode, index: int, rig: Rig) -> None:
    """Puts one unit into a mode in which nothing moves it in the next cycle."""
    state, unit = rig.state.unit[index], rig.input.unit[index]
    state.mode, state.mode_ms = mode, 0
    if mode in (Mode.BOOT, Mode.STOPPING, Mode.CONNECT, Mode.START):
        unit.bms_flags = BMS_OK if mode == Mode.START else BMS_OK & ~1
        unit.pcs_flags = PCS_OK & ~2
        unit.pcs_age_ms = 5_000 if mode == Mode.BOOT else 50
        if mode == Mode.STOPPING:
            unit.pcs_flags = PCS_OK
    if mode == Mode.STANDBY:
        state.cooldown_ms = 60_000
    if mode == Mode.INIT:
        unit.pcs_flags = 2  # unguarded
    if mode == Mode.LOCAL:
        unit.pcs_flags = PCS_OK | 4
    if mode == Mode.FAULT:
        state.latched = 1 << 7


@pytest.mark.parametrize("first", [mode for mode in SITE_ORDER if mode not in (Mode.ESTOP, Mode.SERVICE, Mode.ISLAND)])
def test_the_site_is_in_the_first_mode_of_its_units(first: Mode) -> None:
    for second in SITE_ORDER[SITE_ORDER.index(first) :]:
        rig = Rig(units=2).run()
        settled(second, 0, rig)
        settled(first, 1, rig)
        rig.step()
        assert (rig.unit(0).mode, rig.unit(1).mode) == (second, first), rig.told()
        assert rig.out.mode == first, (first, second)


@pytest.mark.parametrize(
    ("values", "event", "mode", "order"),
    [
        ({"commands": RUN | ESTOP}, "ESTOP", "ESTOP", "OPEN"),
        ({"flags": SiteFlag.SMOKE_1 | SiteFlag.SMOKE_2}, "ESTOP", "ESTOP", "OPEN"),
        ({"commands": RUN | SERVICE}, "SERVICE", "SERVICE", "NONE"),
        ({"commands": RUN | SERVICE | ESTOP}, "ESTOP", "ESTOP", "OPEN"),
        ({"flags": SiteFlag.LOCAL}, "LOCAL", "LOCAL", "NONE"),
        ({"pcs_flags": PCS_OK | 4}, "LOCAL", "LOCAL", "NONE"),
        ({"pcs_flags": PCS_OK | 4, "commands": RUN | SERVICE}, "SERVICE", "SERVICE", "NONE"),
        ({"pcs_flags": PCS_OK | 1}, "TRIP", "FAULT", "STOP"),
        ({"bms_flags": BMS_OK | 4}, "TRIP", "FAULT", "OPEN"),
        ({"flags": SiteFlag.SELF_TEST}, "TRIP", "FAULT", "STOP"),
        ({"bms_flags": BMS_OK | 2}, "HALT", "STOPPING", "STOP"),
        ({"pcs_flags": 16}, "HALT", "STOPPING", "STOP"),
        ({"bms_flags": 32}, "HALT", "STOPPING", "STOP"),
        ({"commands": 0}, "STOP", "STOPPING", "STOP"),
        ({"commands": RUN | HOLD}, "STOP", "STOPPING", "STOP"),
        ({"flags": SiteFlag.CHANGED}, "STOP", "STOPPING", "STOP"),
        ({"flags": SiteFlag.GRID_LOST}, "GRID_LOST", "STOPPING", "STOP"),
        ({}, "NONE", "RUN", "NONE"),
    ],
)
def test_out_of_run_the_most_pressing_event_leads(values: dict[str, int], event: str, mode: str, order: str) -> None:
    rig = Rig().run()
    unit = rig.step(**values).unit[0]
    assert (Event(unit.event).name, Mode(unit.mode).name, Order(unit.order).name) == (event, mode, order)


def test_an_open_latch_of_the_site_opens_a_unit_in_fault() -> None:
    rig = Rig().run()
    rig.step(commands=RUN | ESTOP)
    rig.state.latched = 1 << 15  # only the overrun, level STOP, is left
    rig.state.active &= ~(1 << 4)
    rig.step(commands=RUN)
    assert (rig.unit().mode, rig.unit().order) == (Mode.FAULT, Order.STOP)


def test_standby_stops_what_nobody_asked_to_run() -> None:
    rig = Rig(obedient=True)
    rig.step(30, commands=0)
    assert (rig.unit().mode, rig.unit().order) == (Mode.STANDBY, Order.STOP)
    rig.step(30, commands=RUN | HOLD)
    assert (rig.unit().mode, rig.unit().order) == (Mode.STANDBY, Order.STOP)
    rig.step(1, commands=RUN, soc_cpct=5_500, poc_age_ms=4_000)
    assert (rig.unit().mode, rig.unit().order) == (Mode.STANDBY, Order.NONE)
