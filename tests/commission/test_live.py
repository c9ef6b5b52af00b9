"""The live check in virtual time: what is measured, and the verdict on everything that can be wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge.commission.live.measure import Measured, measure, percentile
from edge.commission.live.report import all_lines, as_json, has_failed, screen, use_colour
from edge.commission.live.verdicts import Line, balance_line, clock_line, device_lines, turnaround_ms
from edge.field.line.rtu import with_crc
from hil.slave import Slave
from hil.wire import Arrivals
from tests.commission.site import HandSite, play

Spoil = Callable[[Slave, bytes, bytes], Arrivals | None]


def check(spoil: Spoil | None = None, before: Callable[[HandSite], None] = lambda site: None, tries: int = 20,
          **tables: dict[str, Any]) -> tuple[list[Line], list[Measured]]:  # fmt: skip
    async def script(site: HandSite) -> tuple[list[Line], list[Measured]]:
        ports = {port.name: port for port in site.config.port}
        devices = list(site.devices.values())
        seen = [await measure(site.hand.ask, d, ports[d.settings.port], tries) for d in devices]
        assert all(frame[1] in (3, 4) for frame in site.sent)
        return all_lines(site.config, devices, seen, True), seen

    return play(script, spoil, before, tuple(tables.items()))


def of(lines: list[Line], subject: str, what: str) -> Line:
    return next(line for line in lines if (line.subject, line.check) == (subject, what))


def test_a_sound_site_is_fit_to_run_and_its_report_fits_the_screen() -> None:
    lines, seen = check()
    assert not has_failed(lines), lines
    for name in ("poc", "pcs1", "bms1", "pv1", "it1"):
        assert of(lines, name, "answers").text == "20 of 20" and of(lines, name, "latency").word == "good"
    assert "says 'B23'" in of(lines, "poc", "identity").text
    assert of(lines, "site", "balance").word == "good"
    shown = screen(lines)
    assert all(len(row) <= 80 for row in shown) and shown[-1].endswith("fit to run; look at what is marked")
    assert "\x1b" not in "".join(shown) and "\x1b[32m" in "".join(screen(lines, colour=True))
    data = as_json(lines, seen)
    assert data["ok"] and {line["verdict"] for line in data["lines"]} <= {"good", "look", "fail"}
    assert Measured(**data["devices"][0]) == seen[0]


def test_the_time_of_the_device_is_told_from_the_time_of_the_wire() -> None:
    _, seen = check()
    turnarounds_us = {item.device: item.turnaround_p99_us for item in seen}
    assert abs(turnarounds_us["poc"] - 5_000) < 200 and abs(turnarounds_us["bms1"] - 10_000) < 200


def test_a_device_slower_than_its_profile_says_is_told_with_the_number_to_put() -> None:
    lines, seen = check(lambda slave, request, reply: [(0.036, reply)] if slave.name == "pcs1" else None)
    line = of(lines, "pcs1", "latency")
    assert line.word == "look"
    assert "profile says 5 ms, measured p99 41 ms: put turnaround_ms = 45 in sinexcel-pcs-30" in line.text
    assert seen[1].turnaround_p99_us == pytest.approx(41_000, abs=200)


def test_the_bus_is_judged_with_the_times_that_were_measured() -> None:
    """Each answer of the fast pair 60 ms late: 100 ms cannot be kept."""
    lines, _ = check(lambda slave, request, reply: [(0.06, reply)] if slave.name in ("poc", "pcs1") else None)
    line = of(lines, "fast", "bus")
    assert line.word == "FAIL" and "as measured" in line.text and "slowest" in line.text
    assert of(lines, "slow", "bus").word == "good" and has_failed(lines)


def test_one_slow_answer_in_twenty_is_looked_at_and_does_not_condemn_the_bus() -> None:
    count = 0

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        nonlocal count
        count += 1
        return [(0.15, reply)] if count % 15 == 0 and slave.name in ("poc", "pcs1") else None

    lines, seen = check(spoil)
    assert seen[0].turnaround_p50_us < 6_000 and seen[0].turnaround_p99_us > 100_000
    assert of(lines, "fast", "bus").word == "look" and "if all were that slow" in of(lines, "fast", "bus").text


@pytest.mark.parametrize(("every", "word"), [(40, "look"), (4, "FAIL")])
def test_lost_answers_are_counted_by_kind(every: int, word: str) -> None:
    count = 0

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        nonlocal count
        if slave.name != "it1" or request[3] not in (0x34, 0x46):
            return None
        count += 1
        return [(0.0, reply[:-1] + b"?")] if count % every == 0 else None

    lines, _ = check(spoil, tries=40)
    line = of(lines, "it1", "answers")
    assert line.word == word and "damaged answer" in line.text and "termination" in line.text


def test_a_device_that_never_answers_fails_with_what_to_check() -> None:
    lines, _ = check(lambda slave, request, reply: [] if slave.name == "pv1" else None)
    line = of(lines, "pv1", "answers")
    assert line.word == "FAIL" and "0 of 20 (20 x no answer)" in line.text and "address 2" in line.text
    assert [x.check for x in lines if x.subject == "pv1"] == ["answers"]


def test_another_device_fails_and_a_refused_block_is_named() -> None:
    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        if slave.name == "poc" and request[2:4] == b"\x89\x60":
            return [(0.0, with_crc(b"\x01\x03\x04A44 "))]
        if slave.name == "poc" and request[2:4] == b"\x5b\x2c":
            return [(0.0, with_crc(b"\x01\x83\x02"))]
        return None

    lines, _ = check(spoil)
    assert of(lines, "poc", "identity").word == "FAIL" and "'A44'" in of(lines, "poc", "identity").text
    refused = of(lines, "poc", "registers")
    assert refused.word == "FAIL" and "block frequency is refused (exception 2)" in refused.text
    assert of(lines, "poc", "answers").text == "13 of 13"


def test_a_mandatory_value_that_is_missing_fails() -> None:
    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        return [(0.0, with_crc(reply[:3] + b"\xff" * (len(reply) - 5)))] if slave.name == "bms1" else None

    line = of(check(spoil)[0], "bms1", "values")
    assert line.word == "FAIL" and "soc" in line.text


def test_the_watchdog_is_read_and_compared() -> None:
    def armed(site: HandSite) -> None:
        site.slave("pcs1")._memory[327] = 5

    assert of(check()[0], "pcs1", "watchdog").word == "look"
    line = of(check(before=armed)[0], "pcs1", "watchdog")
    assert line.word == "good" and line.text.startswith("5 s, as wanted; on loss:")
    silent = of(check(lambda slave, request, reply: [] if request[2:4] == b"\x01\x47" else None)[0], "pcs1", "watchdog")
    assert silent.word == "FAIL" and "RUN is refused" in silent.text


def test_in_a_running_controller_a_watchdog_that_was_not_read_back_fails() -> None:
    _, seen = check()

    async def script(site: HandSite) -> list[Line]:
        return list(device_lines(site.device("pcs1"), replace(seen[1], guarded=False)))

    assert of(play(script), "pcs1", "watchdog").word == "FAIL"


def test_a_poc_meter_that_is_turned_shows_in_the_balance() -> None:
    """The load draws what the grid must deliver; the meter says that it is fed."""

    def spoil(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
        if slave.name != "poc" or request[2:4] != b"\x5b\x14":
            return None
        turned = -int.from_bytes(reply[3:7], "big", signed=True)
        return [(0.0, with_crc(reply[:3] + turned.to_bytes(4, "big", signed=True)))]

    line = of(check(spoil)[0], "site", "balance")
    assert line.word == "FAIL" and "sign test" in line.text


def test_a_balance_without_a_load_meter_says_nothing_and_a_small_one_little() -> None:
    _, seen = check()

    async def script(site: HandSite) -> tuple[Line | None, Line | None]:
        devices = list(site.devices.values())
        small = [replace(item, power_w=100) for item in seen]
        return balance_line(devices, seen[:-1]), balance_line(devices, small)

    nothing, small = play(script)
    assert nothing is None and small is not None and "too small" in small.text


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert use_colour(True) and not use_colour(False)
    monkeypatch.setenv("NO_COLOR", "")
    assert not use_colour(True)


def test_small_numbers() -> None:
    assert [percentile([3, 1, 2], 50), percentile([], 99), percentile(list(range(100)), 99)] == [2, 0, 99]
    assert [turnaround_ms(us) for us in (1, 5_000, 5_001, 41_000)] == [5, 5, 10, 45]
    assert {clock_line(state).word for state in (True, False, None)} == {"good", "look"}
