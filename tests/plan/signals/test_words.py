"""`edge signal`: the list, one question to a publisher on this machine, and a site that starts with a signal over HTTP."""

import json
import time
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.clock import SystemClock
from edge.config.reader import load_config
from edge.mission.second import Mission
from tests.plan.signals.kit import FIXTURES, needs_data
from tests.plan.signals.server import Behaviour, publisher
from tests.plan.signals.test_ercot import FUEL, answer
from tests.plan.signals.test_sources import watttime_answer

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "site.example.toml"


def fresh(minutes: int = 0, **more: object) -> bytes:
    """An answer of ERCOT that ends about now."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(time.time() - 60 * minutes))
    return answer({stamp: {**FUEL, **more}}, lastUpdated=stamp).encode()


def test_every_source_is_listed_with_licence_and_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["signal", "list"]) == 0
    shown = capsys.readouterr().out
    assert "ERCOT dashboards" in shown and "never part of an inventory" in shown and shown.count("licence: ") == 10
    assert main(["signal", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows if row["kind"] == "marginal"} == {"watttime"}


def test_one_question_shows_mix_factors_intensity_and_quality(capsys: pytest.CaptureFixture[str]) -> None:
    with publisher(Behaviour(body=fresh(Fusion=1))) as there:
        assert main(["signal", "check", "--kind", "ercot", "--base-url", there.url]) == 0
        shown = capsys.readouterr().out
        for words in ("coal               100.0     16.6   1062.4", "storage             50.0        - not counted",
                      "fusion: counted at the factor of unknown", "egrid2023-ercot/direct, quality measured"):  # fmt: skip
            assert words in shown, shown
        assert main(["signal", "check", "--kind", "ercot", "--base-url", there.url, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert told["reading"]["quality"] == "measured" and told["fault"] == "" and len(told["sha256"]) == 64


@needs_data
def test_a_recorded_day_is_shown_as_what_it_is_now_old(capsys: pytest.CaptureFixture[str]) -> None:
    with publisher(Behaviour(body=(FIXTURES / "ERCOT_generation.json").read_bytes())) as there:
        assert main(["signal", "check", "--kind", "ercot", "--base-url", there.url]) == 0
    shown = capsys.readouterr().out
    assert "369 intervals" in shown and "2025-10-09 11:40Z to 11:45Z" in shown and "332.9 g/kWh, annual" in shown


def test_a_marginal_source_is_shown_as_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text("me\nsecret-word")
    script = [Behaviour(body=b'{"token":"t"}'), Behaviour(body=watttime_answer().encode())]
    with publisher(*script) as there:
        words = ["signal", "check", "--kind", "watttime", "--base-url", there.url, "--key-file", str(tmp_path / "key")]
        assert main(words) == 0
    shown = capsys.readouterr().out
    assert "marginal   453.6 g/kWh" in shown and "intensity" not in shown and "secret-word" not in shown


def test_what_cannot_be_asked_is_said_and_ends_with_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    with publisher(Behaviour(500)) as there:
        assert main(["signal", "check", "--kind", "ercot", "--base-url", there.url]) == 1
        assert "FAULT" in capsys.readouterr().out
    assert main(["signal", "check"]) == 2
    assert "needs either" in capsys.readouterr().err
    assert main(["signal", "check", "-c", str(EXAMPLE)]) == 2
    assert "is not asked over HTTP" in capsys.readouterr().err


def site(tmp_path: Path, signal: str) -> Path:
    text = EXAMPLE.read_text()
    text = text.replace('kind = "mqtt" ', f"{signal}\n#").replace("/var/lib/tidewatt-edge", str(tmp_path / "store"))
    path = tmp_path / "site.toml"
    path.write_text(text)
    return path


def test_check_says_what_is_wrong_with_the_signal_of_a_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", str(site(tmp_path, 'kind = "eia"'))]) == 2
    assert "signal.key_file: is needed" in capsys.readouterr().err
    assert main(["check", "-c", str(site(tmp_path, 'kind = "ercot"'))]) == 0


@pytest.mark.hil
def test_a_site_with_a_signal_over_http_has_a_measured_intensity_and_keeps_the_answer(tmp_path: Path) -> None:
    with publisher(Behaviour(500), Behaviour(body=fresh())) as there:
        config = load_config(site(tmp_path, f'kind = "ercot"\nbase_url = "{there.url}"'))
        assert main(["signal", "check", "-c", config.file]) == 1  # takes the first behaviour
        clock = SystemClock()
        mission = Mission(config, clock)
        end_mono_ms = clock.mono_ms() + 15_000  # the first question comes within 10 s
        while clock.mono_ms() < end_mono_ms:
            reading = mission.signal.poll(clock.mono_ms(), clock.wall_ms())
            if reading.quality == "measured":
                break
            time.sleep(0.05)
    assert reading.quality == "measured" and reading.origin is not None
    kept = list((tmp_path / "store" / "signal" / "bodies").glob("*.z"))
    assert [reading.origin.payload_sha256 in path.name for path in kept] == [True]
