"""What becomes of a device when its controller dies: its own timer, kept alive; or the site says that it has none."""

import asyncio
import json
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge.__main__ import _watchdog_lines, main
from edge.config.options import Config
from edge.config.reader import load_config
from edge.console.screens import devices_screen, status_screen
from edge.console.view import StatusView
from edge.field.device import BusDevice
from edge.field.profiles.loader import load_profile
from hil.assembly import unit_specs
from hil.day.image import day_config
from hil.day.wired import WiredSite, play
from hil.framing import refusal
from hil.plant.site import SiteSpec
from hil.slave import Slave
from hil.wire import Arrivals
from tests.field.test_bus import PCS_SET, Bench
from tests.field.test_bus import play as play_bus

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml"
WATCHDOG = 327
WORDS = "I accept that pcs1 keeps its last setpoint when this controller dies"


def accepting(words: str) -> Config:
    config = day_config(site={"cycle_ms": 100})
    devices = tuple(replace(d, without_watchdog=words) if d.name == "pcs1" else d for d in config.device)
    return replace(config, device=devices)


def refusing(slave: Slave, request: bytes, reply: bytes) -> Arrivals | None:
    """A PCS that does not take its comm-loss timer."""
    is_timer = slave.name == "pcs1" and request[1] == 6 and int.from_bytes(request[2:4], "big") == WATCHDOG
    return [(0.0, refusal(slave.address, 6, 2))] if is_timer else None


def after(seconds: float, words: str) -> StatusView:
    views: list[StatusView] = []

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(seconds)
        views.append(wired.controller.picture.status())

    config = accepting(words)
    play(config, SiteSpec(units=unit_specs(config)), 1, script, spoil=refusing)
    return views[0]


def test_without_a_watchdog_nothing_runs() -> None:
    view = after(20, "")
    assert view.mode != "RUN" and view.battery_set_w == 0
    assert "unit unguarded" in {reason.name for reason in view.reasons}
    assert next(d for d in view.devices if d.device == "pcs1").exception_code == 2


def test_the_words_of_the_site_file_stand_for_it_and_are_in_every_status() -> None:
    view = after(20, WORDS)
    assert view.mode == "RUN"
    assert any(WORDS[:60] in line for line in status_screen(view))
    assert any("no watchdog" in line for line in devices_screen(view))
    assert WORDS in json.dumps([asdict(device) for device in view.devices])
    assert not next(d for d in view.devices if d.device == "pcs1").guarded, "nobody says that it is"


def test_a_device_that_is_guarded_after_all_needs_no_words() -> None:
    config, views = accepting(WORDS), list[StatusView]()

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(10)
        views.append(wired.controller.picture.status())

    play(config, SiteSpec(units=unit_specs(config)), 1, script)
    assert views[0].mode == "RUN" and not any("accept" in line for line in status_screen(views[0]))


@pytest.mark.parametrize(
    ("device", "words", "said"),
    [
        ("pcs1", "yes", f'must be, word for word: "{WORDS}"'),
        ("pcs1", WORDS.replace("pcs1", "pcs2"), f'must be, word for word: "{WORDS}"'),
        ("bms1", WORDS, 'word for word: "I accept that bms1 stays connected when this controller dies"'),
        ("poc", "yes", "is only for use = 'pcs' or 'bms'"),
    ],
)
def test_any_other_words_are_refused(device: str, words: str, said: str, tmp_path: Path,
                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    file = tmp_path / "site.toml"
    text = EXAMPLE.read_text().replace(f'name = "{device}"\n', f'name = "{device}"\nwithout_watchdog = "{words}"\n', 1)
    file.write_text(text)
    assert main(["check", "-c", str(file)]) == 2
    problem = capsys.readouterr().err
    assert "without_watchdog" in problem and said in problem


def test_check_says_what_becomes_of_each_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.toml"
    file.write_text(EXAMPLE.read_text().replace('name = "pcs1"\n', f'name = "pcs1"\nwithout_watchdog = "{WORDS}"\n', 1))
    assert main(["check", "-c", str(file)]) == 0
    assert "pcs1: watchdog of 5 s, written and read back before RUN" in capsys.readouterr().out
    assert load_config(file).device[1].without_watchdog == WORDS


def test_check_asks_for_the_words_where_a_profile_has_no_watchdog() -> None:
    config = load_config(EXAMPLE)
    profile = replace(load_profile("sinexcel-pcs-30"), watchdog=None)
    (line,) = _watchdog_lines([BusDevice(config.device[1], profile)])
    assert "RUN will be refused" in line and f'without_watchdog = "{WORDS}"' in line
    (line,) = _watchdog_lines([BusDevice(replace(config.device[1], without_watchdog=WORDS), profile)])
    assert line == f"pcs1: NO WATCHDOG: {WORDS}"


@pytest.mark.parametrize("watchdog_s", [2, 5, 60])
def test_an_unchanged_setpoint_is_repeated_three_times_in_the_patience_of_the_device(watchdog_s: int) -> None:
    sent_s: list[float] = []

    def prepare(bench: Bench) -> None:
        device = bench.bus.device("pcs")
        box = device.boxes["power_set"]
        box.repeat_ms = (
            type(device)(replace(device.settings, watchdog_s=watchdog_s), device.profile).boxes["power_set"].repeat_ms
        )
        bench.bus.set_value("pcs", "power_set", 5_000)
        bench.line.spoil = lambda request, reply: (
            sent_s.append(bench.line.requests[-1][0]) if request[2:4] == PCS_SET.to_bytes(2, "big") and request[1] == 6
            else None
        ) or [(0.005, reply)]  # fmt: skip

    play_bus(20, prepare)
    longest_s = max(b - a for a, b in pairwise(sent_s))
    assert longest_s <= min(watchdog_s / 3, 1.2) and len(sent_s) >= 16
