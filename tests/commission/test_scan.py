"""The scan in virtual time: the right setting, who answers, who else speaks, and that it never writes."""

import asyncio

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.commission.line import LineFault, ReadLine, right_frames
from edge.commission.scan import report
from edge.commission.scan.search import Progress, Search
from edge.commission.scan.settings import LIKELY, Setting, make_plan, probe_s
from edge.errors import ConfigFault
from edge.field.line.port import OnBytes
from edge.field.line.rtu import Expect, read_request, with_crc, write_request
from edge.field.profiles.loader import all_profiles, parse_profile
from hil.lan.sunspec import Map, SunSpecSlave
from hil.slave import Slave
from hil.virtual import run
from hil.wire import Arrivals
from tests.commission.rig import Line, later, scan
from tests.field.sunspec_kit import DEVICES
from tests.hil.site_kit import Kit

SLOW = Setting(19_200, "N")
PROFILES = all_profiles()[0]


def test_the_three_devices_of_a_bus_are_found_at_their_setting_and_its_snippet_is_toml() -> None:
    line = Line(Kit().slow, SLOW)
    result = scan(line)
    assert result.verdict == "found" and [found.unit for found in result.found] == [1, 2, 3]
    assert {found.setting for found in result.found} == {SLOW}
    assert [found.identity.how for found in result.found] == ["guess"] * 3
    best = [found.identity.best for found in result.found]
    assert best == ["soltaro-rack-c", "sungrow-sg", "eastron-sdm630"]
    shown = report.screen(make_plan("/dev/bus"), result, PROFILES)
    assert all(len(text) <= 80 for text in shown)
    assert "guess" in "\n".join(shown) and "identified:" not in "\n".join(shown)


def test_a_device_that_says_who_it_is_is_identified_and_not_guessed() -> None:
    result = scan(Line([Kit().poc], Setting(115_200, "N")))
    assert result.found[0].identity.how == "identified" and result.found[0].identity.profiles == ("abb-b23",)
    assert result.found[0].identity.text == "B23" and not result.found[0].identity.guesses


@pytest.mark.parametrize("kind", ["pcs", "bms", "pv", "meter"])
def test_a_sunspec_device_describes_itself_and_a_draft_of_its_profile_comes_with_it(kind: str) -> None:
    slave = SunSpecSlave(Map(DEVICES[kind]), 7)
    result = scan(Line([slave], SLOW), make_plan("/dev/bus", units="6-8"))
    (found,) = result.found
    described = found.identity.described
    assert found.identity.how == "sunspec" and described is not None and described.fault == ""
    assert described.text == "Acme Model 7 1.2 A-0001" and described.kind == kind and described.models[0] == 1
    assert parse_profile(tomli.loads(described.toml), "draft").kind == kind
    shown = report.screen(make_plan("/dev/bus"), result, PROFILES)
    assert any("Acme Model 7" in row for row in shown) and all(len(row) <= 80 for row in shown), shown
    assert f'profile = "{described.profile}"' in "\n".join(shown)


def test_a_sunspec_map_that_cannot_be_walked_says_where() -> None:
    broken = Map([*DEVICES["pv"], (120, {"L": 0})])
    found = scan(Line([SunSpecSlave(broken, 7)], SLOW), make_plan("/dev/bus", units="7")).found[0]
    assert found.identity.how == "sunspec" and found.identity.described is not None
    assert "length 0" in found.identity.described.fault and found.identity.described.toml == ""


def test_a_refusal_counts_as_a_device_and_is_explained() -> None:
    """A device of no known profile: every read is refused."""
    slave = Kit().pcs
    slave._points.clear()
    slave._functions.clear()
    result = scan(Line([slave], SLOW))
    assert [(found.unit, found.exception, found.identity.how) for found in result.found] == [(2, 1, "unknown")]
    text = "\n".join(report.screen(make_plan("/dev/bus"), result, PROFILES))
    assert "it is there, and does not know the function" in text and "# address 2 answers" in text


@pytest.mark.parametrize("parity", ["N", "E"])
def test_the_parity_that_the_devices_do_not_have_finds_nobody(parity: str) -> None:
    other = {"N": "E", "E": "N"}[parity]
    line = Line(Kit().slow, Setting(19_200, parity))
    assert scan(line, make_plan("/dev/bus", bauds="19200", parities=other)).verdict == "nothing"
    result = scan(line, make_plan("/dev/bus", bauds="19200", parities=f"{other},{parity}"))
    assert result.found[0].setting == Setting(19_200, parity)
    assert str(result.found[0].setting) == f"19200 8{parity}1"


def test_the_search_ends_at_the_setting_where_somebody_answers() -> None:
    line = Line(Kit().slow, SLOW)
    scan(line)
    assert list(dict.fromkeys(setting for setting, _ in line.sent)) == [Setting(*pair) for pair in LIKELY[:4]]


def test_a_device_that_knows_input_registers_only_and_is_silent_to_others_is_found() -> None:
    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [] if reply[1] & 0x80 and request[1] == 3 else None

    result = scan(Line([Kit().it], SLOW, spoil))
    assert [found.unit for found in result.found] == [3] and result.found[0].exception == 2


def test_a_slow_device_is_heard_late_and_asked_again_with_patience() -> None:
    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [(0.7 if slave.address == 2 else 0.0, reply)]

    result = scan(Line(Kit().slow, SLOW, spoil))
    slow = next(found for found in result.found if found.unit == 2)
    assert slow.was_late and slow.latency_us > 700_000 and slow.identity.best == "sungrow-sg"
    assert [found.unit for found in result.found] == [1, 2, 3]


def test_an_adapter_that_hears_itself_is_told_and_finds_no_ghosts() -> None:
    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [(0.0, request + reply)]

    result = scan(Line([Kit().bms], SLOW, spoil))
    assert result.echoes and [found.unit for found in result.found] == [1]


@pytest.mark.parametrize(
    "chatter",
    [read_request(9, 3, 100, 10), write_request(2, 6, 135, (0,)), bytes(range(40, 80))],
    ids=["a read", "a write", "another baud"],
)
def test_nothing_is_sent_into_a_line_on_which_somebody_speaks(chatter: bytes) -> None:
    def speak(line: Line, on_bytes: OnBytes) -> None:
        later(2.5, on_bytes, chatter)

    line = Line(Kit().slow, SLOW)
    line.chatter = speak
    result = scan(line)
    assert result.verdict == "busy" and line.sent == [] and result.heard
    text = "\n".join(report.screen(make_plan("/dev/bus"), result, PROFILES))
    assert "somebody else speaks" in text and all(len(row) <= 80 for row in text.splitlines())


def test_a_master_that_begins_to_speak_during_the_scan_ends_it() -> None:
    """It polls an address of the scan with its own question, once in a second, and at a setting of its own."""

    def speak(line: Line, on_bytes: OnBytes) -> None:
        if line.sent:
            for second in range(1, 30):
                later(second, on_bytes, read_request(1, 3, 0x2100, 20))

    line = Line([], SLOW)
    line.chatter = speak
    result = scan(line)
    assert result.verdict == "busy" and len(line.sent) < 40


def test_a_master_at_another_setting_that_begins_during_the_scan_ends_it_too() -> None:
    """Its frames are noise at ours; heard once more after the question, it is no spike."""

    def speak(line: Line, on_bytes: OnBytes) -> None:
        if line.sent:
            for second in range(1, 30):
                later(0.7 * second, on_bytes, bytes(range(40, 60)))

    line = Line([], SLOW)
    line.chatter = speak
    result = scan(line)
    assert result.verdict == "busy" and "no frames at this setting" in result.heard and len(line.sent) < 40


def test_a_device_that_names_itself_as_another_is_no_guess_for_the_profile_it_denies() -> None:
    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [(0.0, with_crc(b"\x01\x03\x04B99 "))] if request[2:4] == b"\x89\x60" else None

    (found,) = scan(Line([Kit().poc], SLOW, spoil)).found
    assert "abb-b23" not in [guess.profile for guess in found.identity.guesses] and found.identity.profiles == ()


def test_a_spike_on_the_line_is_no_master() -> None:
    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [(0.0, b"\0" + reply), (0.05, b"\xff")]

    assert [found.unit for found in scan(Line(Kit().slow, SLOW, spoil)).found] == [1, 2, 3]


def is_read(frame: bytes) -> bool:
    return len(frame) == 8 and frame[1] in (3, 4) and with_crc(frame[:6]) == frame


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30), st.booleans())
@settings(max_examples=60)
def test_whatever_a_line_answers_only_reads_go_out(junk: list[bytes], sealed: bool) -> None:
    """Noise, and right frames of any function from any address."""
    count = 0

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        nonlocal count
        count += 1
        data = junk[count % len(junk)]
        return [(0.0, with_crc(data) if sealed else data), (0.0, reply)][count % 3 :]

    line = Line(Kit().slow, SLOW, spoil)
    scan(line, make_plan("/dev/bus", units="1-4"))
    assert line.sent and all(is_read(frame) for _, frame in line.sent)


def test_a_write_is_refused_by_the_line_itself_whoever_asks() -> None:
    async def main() -> None:
        line = Line(Kit().slow, SLOW)
        hand = ReadLine(SLOW.port("/dev/bus"), line.port(SLOW))
        await hand.open()
        for request in (write_request(1, 6, 0, (1,)), write_request(1, 16, 0, (1, 2)), with_crc(b"\x01\x05\0\0\xff\0")):
            with pytest.raises(ValueError, match="only reads"):
                await hand.ask(Expect(request), 0.1)
        assert line.sent == []

    run(main())


def test_an_empty_line_says_what_was_tried_and_what_to_check() -> None:
    result = scan(Line([], SLOW))
    shown = report.screen(make_plan("/dev/bus"), result, PROFILES)
    text = "\n".join(shown)
    assert result.verdict == "nothing" and "addresses 1..16" in text and "19200 8E1" in text and "--all" in text
    assert all(len(row) <= 80 for row in shown)
    assert report.as_json(make_plan("/dev/bus"), result, PROFILES)["site_file"] == ""


def test_the_time_that_is_announced_is_the_time_it_takes() -> None:
    seen: list[Progress] = []

    async def main() -> float:
        plan = make_plan("/dev/bus", units="1-16", bauds="9600,19200")
        await Search(plan, Line([], SLOW).port, PROFILES, seen.append).run()
        return asyncio.get_running_loop().time() / plan.seconds()

    assert 0.95 <= run(main()) <= 1.05
    assert seen[0].doing == "listening" and seen[-1].left_s < 0.2 and seen[-1].done_permille > 990
    assert all(len(report.progress_line(progress)) <= 79 for progress in seen)


def test_the_wait_is_the_time_of_the_wire_and_of_the_device() -> None:
    """8 + 7 characters of 10 bits, and twice 3.5 characters of silence, at 9600 baud: 22.9 ms; and the device's 100."""
    plan = make_plan("/dev/bus")
    assert probe_s(plan, Setting(9_600, "N")) == pytest.approx(0.1 + (15 + 7) * 10 / 9_600, rel=1e-4)
    assert probe_s(plan, Setting(115_200, "N")) == pytest.approx(0.1 + 150 / 115_200 + 0.0035, rel=1e-4)
    assert probe_s(make_plan("x", turnaround_ms=800), Setting(9_600, "E")) == pytest.approx(
        0.8 + 22 * 11 / 9_600, rel=1e-4
    )


def test_words_that_make_no_plan_are_all_told_at_once() -> None:
    with pytest.raises(ConfigFault) as fault:
        make_plan("x", units="0-5", bauds="9601", parities="X", turnaround_ms=0)
    text = str(fault.value)
    assert len(fault.value.problems) == 4
    assert all(word in text for word in ("--units", "0-5", "1..247", "--baud", "9601", "115200", "--parity", "2000"))
    assert make_plan("x", units="1,5-7,5").units == (1, 5, 6, 7)
    everything = make_plan("x", everything=True)
    assert len(everything.units) == 247 and len(everything.settings) == 24


def test_a_port_that_is_lost_or_not_there_says_so() -> None:
    def cut(line: Line, on_bytes: OnBytes) -> None:
        later(1.0, on_bytes, b"")

    line = Line([], SLOW)
    line.chatter = cut
    with pytest.raises(LineFault, match="plugged in"):
        scan(line)


@given(st.binary(max_size=300))
def test_frames_are_found_in_anything_and_are_right(data: bytes) -> None:
    for frame in right_frames(data):
        assert with_crc(frame[:-2]) == frame and frame in data


@given(st.binary(max_size=9), st.lists(st.sampled_from([(1, 3, 7, 2), (9, 4, 0, 60), (247, 3, 65_535, 1)]), max_size=5))
def test_frames_glued_together_are_found_one_by_one(noise: bytes, shapes: list[tuple[int, int, int, int]]) -> None:
    frames = [read_request(*shape) for shape in shapes]
    found = right_frames(b"".join(frames) + noise)
    assert found[: len(frames)] == frames
