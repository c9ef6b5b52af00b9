"""Scenarios: every one that comes with the project is kept, a broken one fails, a bad file is refused whole."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import ConfigFault
from hil.__main__ import main
from hil.faults import PARAMS
from hil.scenario import expect
from hil.scenario.command import verdict_of
from hil.scenario.file.reader import DEEDS, load, names
from hil.scenario.play import play_wire
from hil.scenario.process import play_process
from hil.scenario.screen import brief, screen

WANTED = {
    "silence", "late", "bad_crc", "wrong_unit", "frozen", "pcs_trip", "bms_alarm", "bms_trip", "meter_loss", "bus_cut",
    "pcs_estop",
}  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_a_scenario_is_kept(name: str) -> None:
    verdict = verdict_of(load(name))
    assert verdict.passed, "\n".join(screen(verdict))


def test_every_fault_and_deed_that_matters_has_a_scenario() -> None:
    scenarios = [load(name) for name in names()]
    kinds = {fault.kind for scenario in scenarios for fault in scenario.faults}
    assert kinds >= WANTED and kinds <= set(PARAMS)
    assert {step.do for scenario in scenarios for step in scenario.steps} == set(DEEDS)
    assert {wanted.what for scenario in scenarios for wanted in scenario.expectations} == set(expect.KINDS)


def test_the_same_seed_plays_the_same_and_another_another() -> None:
    scenario = load("bad-crc")
    first, again, other = (play_wire(scenario, seed) for seed in (1, 1, 2))
    assert first.looks == again.looks and first.samples == again.samples
    assert first.looks != other.looks


SHORT = """
description = "a short one"
duration_s = 12
site.limits.import_max_w = 50_000
plant = { load_w = 60_000, irradiance_w_per_m2 = 0 }
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "short.toml"
    path.write_text(SHORT + text)
    return str(path)


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ('what = "mode", is = "FAULT", at_s = 10', "RUN"),
        ('what = "mode", is = "FAULT", after_s = 2, within_s = 3', "not in time; was"),
        ('what = "mode", is = "STANDBY", from_s = 3, to_s = 11', "s CONNECT"),
        ('what = "no_reason", is = "import_limit", from_s = 9, to_s = 10', "import_limit"),
        ('what = "reason", is = "unit bms_lost", after_s = 1, within_s = 3', "not in time"),
        ('what = "battery_power", low_w = 12_000, at_s = 11', "10.0 kW"),
        ('what = "pcs", is = "fault", at_s = 11', "running"),
        ('what = "grid_within_limits", longest_s = 1, from_s = 0, to_s = 11', "past for"),
        ('what = "rate_kept", device = "poc", from_s = 0, to_s = 11', "before 0.0"),
        ('what = "latched", is = "estop", at_s = 11', "nothing"),
    ],
)
def test_an_expectation_that_is_not_met_fails_and_says_what_was_seen(
    tmp_path: Path, row: str, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, f"expect = [{{ {row} }}]")
    (finding,) = verdict_of(load(path)).expectations
    assert not finding.passed and seen in finding.seen
    assert main(["run", path]) == 1
    out = capsys.readouterr().out
    assert "\nFAIL  " in out and "FAIL: 1 of " in out


def test_an_invariant_fails_the_run_whatever_is_expected(tmp_path: Path) -> None:
    verdict = verdict_of(load(written(tmp_path, 'expect = [{ what = "mode", is = "RUN", at_s = 10 }]')))
    assert verdict.passed
    broken = replace(verdict, invariants=(*verdict.invariants[1:], replace(verdict.invariants[0], passed=False)))
    assert not broken.passed and brief(broken)[0].startswith("FAIL")


BAD = """
description = ""
duration_s = 99_999
sed = 3
site = { limits = { import_max_w = -1, import_kw = 5 }, port = 3 }
plant = { load_w = [[0, 5], [0, 6]], soc_cpct = "full", sun = 1, load_trace = "nowhere.csv", connected = 1 }
fault = [{ device = "bms9", kind = "silence", at_s = 3 }]
step = [
    { at_s = 1, do = "jump" },
    { do = "wish", power_w = 1.5, device = "pcs1" },
    { at_s = 1, do = "clear", device = "poc" },
]
expect = [
    { what = "speed" },
    { what = "mode", is = "FLY", at_s = 1 },
    { what = "mode", is = "RUN" },
    { what = "mode", is = "RUN", at_s = 1, from_s = 1, to_s = 2 },
    { what = "setpoint", lo_w = 1, from_s = 9, to_s = 3 },
    { what = "rate_kept", device = "fast", at_s = 3 },
]
"""


def test_every_mistake_of_a_file_is_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(BAD)
    with pytest.raises(ConfigFault) as fault:
        load(str(path))
    keys = {problem.key for problem in fault.value.problems}
    assert keys == {
        "description", "duration_s", "sed", "site.limits.import_max_w", "site.limits.import_kw", "site.port",
        "plant.load_w", "plant.soc_cpct", "plant.sun", "plant.load_trace", "plant.connected", "fault[0].device",
        "step[0].do", "step[1].at_s", "step[1].power_w", "step[1].device", "step[2].device", "expect[0].what",
        "expect[1].is", "expect[2].at_s", "expect[3].at_s", "expect[4].lo_w", "expect[4].to_s", "expect[5].device",
        "expect[5].from_s",
    }  # fmt: skip
    assert all(problem.file == "bad.toml" and problem.allowed for problem in fault.value.problems)
    assert main(["run", str(path)]) == 2
    error = capsys.readouterr().err
    assert "bad.toml: expect[1].is = 'FLY': must be one of BOOT, INIT, STANDBY" in error
    assert f"{len(fault.value.problems)} problems; nothing was played" in error


@pytest.mark.parametrize(("text", "key"), [("x = [", "file"), (SHORT, "expect"), (SHORT + "expect = 3", "expect")])
def test_a_file_without_expectations_or_without_toml_is_refused(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigFault) as fault:
        load(str(path))
    assert [problem.key for problem in fault.value.problems] == [key]


def test_an_unknown_scenario_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nothing-such"]) == 2
    assert "bms-silence" in capsys.readouterr().err


def test_the_list_and_the_verdict_are_there_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == names()
    assert main(["run", "hot-cells", "--json", "--seed", "7"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] and found["seed"] == 7 and found["level"] == "wire"
    assert {"text", "passed", "seen"} == set(found["expectations"][0])
    assert any(line["who"] == "mode" and line["what"] == "STANDBY" for line in found["timeline"])


def test_one_screen_is_one_screen() -> None:
    for name in names():
        lines = screen(verdict_of(load(name)))
        assert len(lines) <= 80 and max(map(len, lines)) <= 125, name


@pytest.mark.hil
def test_a_killed_process_is_judged_by_its_trace_and_by_the_plant(tmp_path: Path) -> None:
    text = """
step = [{ at_s = 9, do = "hold" }, { at_s = 10, do = "resume" }, { at_s = 11, do = "kill" }]
expect = [
    { what = "mode", is = "RUN", after_s = 0, within_s = 8 },
    { what = "mode", is = "STANDBY", after_s = 9, within_s = 0.9 },
    { what = "battery_power", low_w = 0, high_w = 0, at_s = 12 },
]
"""
    scenario = load(written(tmp_path, text))
    played = play_process(scenario, 1, tmp_path / "run")
    findings = expect.judge(played)
    assert all(finding.passed for finding in findings), findings
    assert played.ended_safe is None and {"RUN", "STANDBY"} <= {look.mode for look in played.looks}


def test_a_wish_cannot_be_played_through_the_console() -> None:
    with pytest.raises(ConfigFault, match="no word for it"):
        play_process(load("soc-low"), 1)
