"""Screens and words: aligned, ASCII, 80 columns, no foreign escape gets through; each word does what its help says."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.console import screens, words
from edge.console.view import Reason, StatusView
from edge.model import PortHealth, Quality, UplinkStatus
from tests.console.plant import FakePlant

EMPTY = StatusView(site="s", tenant="t", mode="BOOT")
SCREENS = [
    screens.status_screen,
    screens.devices_screen,
    screens.bus_screen,
    screens.limits_screen,
    screens.why_screen,
]


@pytest.mark.parametrize("draw", SCREENS)
@pytest.mark.parametrize("view", [FakePlant().status(), EMPTY], ids=["full", "empty"])
def test_every_screen_is_printable_ascii_of_80_columns(draw: object, view: StatusView) -> None:
    assert callable(draw)
    for line in draw(view):
        assert len(line) <= 80 and line == line.rstrip()
        assert all(" " <= c <= "~" for c in line)


VALUE = st.none() | st.integers(-(2**63), 2**63)
TEXT = st.text(max_size=200)
REASON = st.builds(Reason, name=TEXT, text=TEXT, hint=TEXT, latched=st.booleans(), unit=st.none() | st.integers(0, 7))
VIEWS = st.builds(
    StatusView,
    site=TEXT,
    tenant=TEXT,
    mode=st.sampled_from(["BOOT", "STANDBY", "RUN", "FAULT", "SERVICE"]),
    reasons=st.lists(REASON, max_size=4).map(tuple),
    first_out=TEXT,
    standing=TEXT,
    poc_power_w=VALUE,
    soc_cpct=VALUE,
    cell_temp_max_dc=VALUE,
    ports=st.tuples(st.builds(PortHealth, port=TEXT, load_permille=st.integers(), is_open=st.booleans(), error=TEXT)),
    uplink=st.builds(UplinkStatus, grid_quality=TEXT, rule=TEXT, store_fault=TEXT, pending_count=st.integers()),
)


@given(VIEWS)
def test_no_view_makes_a_screen_wider_than_80_or_sends_a_control_character(view: StatusView) -> None:
    for draw in SCREENS:
        for line in draw(view):
            assert len(line) <= 80 and all(" " <= c <= "~" for c in line)


def test_the_status_screen() -> None:
    lines = screens.status_screen(FakePlant().status())
    assert lines[:4] == [
        "site local/gw-1   mode RUN",
        "standing  wish of rule",
        "first out BMS silent",
        "why       bms_stale, latched",
    ]
    assert lines[5:8] == [
        "grid (POC)           12.3 kW    SOC                   55.1 %",
        "IT load              20.0 kW    cell min             3301 mV",
        "PV                        --    cell max                  --",
    ]


def test_the_columns_of_the_status_screen_are_aligned() -> None:
    numbers = [line for line in screens.status_screen(FakePlant().status())[5:] if line[28:32] == "    "]
    assert len(numbers) == 12 and {len(line) for line in numbers} == {60}


def test_the_devices_screen_is_aligned_and_clean() -> None:
    assert screens.devices_screen(FakePlant().status()) == [
        "device   port  addr  quality    age  latency  state",
        "pcs?[2J  rs1      1  GOOD     90 ms  12.3 ms  ok",
        "meter    rs1      2  GOOD        --   0.0 ms  never seen",
    ]


def test_the_devices_screen_says_why_a_value_is_not_good_and_what_was_refused() -> None:
    view = FakePlant().status()
    frozen = replace(view.devices[0], quality=Quality.BAD, quality_fault="frozen: \x1b stands", exception_code=2)
    lines = screens.devices_screen(replace(view, devices=(frozen,)))
    assert lines[1:] == [
        "pcs?[2J  rs1      1  BAD      90 ms  12.3 ms  ok",
        "pcs?[2J   frozen: ? stands",
        "pcs?[2J   has refused a request: exception 2 (no such register)",
    ]


def test_why_says_what_is_what_it_does_and_what_to_do() -> None:
    lines = screens.why_screen(FakePlant().status())
    assert "unit 0: bms_stale, for 4.2 s" in lines
    assert "site: latched, LATCHED" in lines
    assert "  does    0 kW" in lines
    assert "  do      mend it, then: reset" in lines


def test_colour_is_only_on_the_mode_and_only_when_asked() -> None:
    view = FakePlant().status()
    plain, coloured = screens.status_screen(view), screens.status_screen(view, colour=True)
    assert coloured[0] == plain[0].replace("RUN", "\x1b[32mRUN\x1b[0m")
    assert coloured[1:] == plain[1:]


@given(st.text(), st.integers(0, 100))
def test_clean_lets_no_control_character_through(text: str, width: int) -> None:
    shown = screens.clean(text, width)
    assert len(shown) <= max(width, 0) or width == 0
    assert all(" " <= c <= "~" for c in shown)


@given(st.text(max_size=300))
def test_wrap_stays_in_80_columns(text: str) -> None:
    assert all(len(line) <= 80 for line in screens.wrap("name", text))


@pytest.mark.parametrize("word", [w.name for w in words.WORDS])
def test_every_word_answers_in_text_and_json(word: str) -> None:
    for line in (word, f"{word} --json"):
        answer, as_json = words.run_line(FakePlant(), line)
        assert answer.ok and as_json == line.endswith("--json")
        assert "\n" not in words.render_json(answer)
        assert json.loads(words.render_json(answer))["ok"] is True
        assert all(len(text) <= 80 for text in answer.lines)


def test_why_the_cloud_is_away_is_on_the_status_screen() -> None:
    view = FakePlant().status()
    assert "refused" not in "\n".join(screens.status_screen(view))
    away = replace(
        view, uplink=replace(view.uplink, cloud_fault="broker: refused: Not authorized; check password_file")
    )
    assert any(line.startswith("cloud     broker: refused: Not authorized") for line in screens.status_screen(away))


def test_help_says_every_word_whole_in_eighty_columns() -> None:
    answer, _ = words.run_line(FakePlant(), "help")
    assert max(map(len, answer.lines)) <= 80 and not any(line.endswith("~") for line in answer.lines)
    shown = " ".join(" ".join(answer.lines).split())
    assert all(" ".join(word.help.split()) in shown for word in words.WORDS)


def test_names_are_unique_and_helped() -> None:
    names = [word.name for word in words.WORDS]
    assert len(set(names)) == len(names) and all(word.help for word in words.WORDS)
    assert {word.name for word in words.WORDS if word.login} == {
        "resume",
        "reset",
        "service",
        "calibrate",
        "write",
        "sign-test",
    }


@pytest.mark.parametrize("kind", ["hold", "resume", "reset", "service"])
def test_an_order_becomes_a_request_of_the_console(kind: str) -> None:
    plant = FakePlant()
    words.run_line(plant, kind)
    assert [(r.source, r.kind) for r in plant.asked] == [("console", kind)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shwo status", "show status"),
        ("show", "show status, show devices, show bus, show limits"),
        ("res", "write it out: resume, reset"),
        ("resu", "write it out: resume"),
        ("wyh", "why"),
        ("zzz", "see: help"),
        ("show events", "did you mean: events?"),
        ("\x1b[2Jzzz", "'?[2Jzzz'"),
        ("reset now", "takes no arguments"),
        ("watch status 0", "1..3600"),
        ("help nothing", "no word begins"),
    ],
)
def test_a_line_that_cannot_be_run_says_what_could(line: str, said: str) -> None:
    plant = FakePlant()
    answer, _ = words.run_line(plant, line)
    assert not answer.ok and said in " ".join(answer.lines) and not plant.asked


def test_harmless_words_may_be_shortened() -> None:
    assert words.run_line(FakePlant(), "sh dev")[0].lines[0].startswith("device")
    assert words.run_line(FakePlant(), "h")[0].ok is False  # help, hold
    assert words.complete("show ") == ["show status", "show devices", "show bus", "show limits"]


@given(st.text(max_size=100))
def test_no_line_raises(line: str) -> None:
    answer, _ = words.run_line(FakePlant(), line)
    words.render_json(answer)


def test_the_newest_events_are_shown_in_utc_without_foreign_control_characters() -> None:
    answer, _ = words.run_line(FakePlant(), "events")
    shown = "\n".join(answer.lines)
    assert answer.lines[1].split() == ["2030-03-17", "17:46:40", "info", "mode"]
    assert "STANDBY -> RUN" in shown and "\x1b" not in shown and "\x07" not in shown
    assert all(len(one) <= 80 for one in answer.lines) and "--" in answer.lines[-2]  # a time that no calendar has
    newest, as_json = words.run_line(FakePlant(), "events 1 --json")
    assert as_json and [event["name"] for event in newest.data] == ["poc_stale.clear"]
    for line in ("events 0", "events -1", "events 1 2", "events all"):
        assert not words.run_line(FakePlant(), line)[0].ok
