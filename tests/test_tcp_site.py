"""The example site over TCP: its file, the whole controller on it in virtual time, and its SunSpec PCS that keeps us."""

import asyncio
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.config.reader import load_config
from edge.control.kernel import Mode
from edge.field.profiles.loader import load_profile
from hil.assembly import unit_specs
from hil.day.wired import WiredSite, play
from hil.plant.site import SiteSpec

EXAMPLE = Path(__file__).resolve().parent.parent / "deploy" / "site.tcp.example.toml"


def test_the_example_passes_check_with_the_time_of_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", str(EXAMPLE)]) == 0
    text = capsys.readouterr().out
    assert "total over TCP" in text and "heartbeat" in text
    assert "pcs1: watchdog of 5 s, written and read back before RUN" in text


def test_a_site_runs_with_a_walked_sunspec_pcs() -> None:
    config = load_config(EXAMPLE)
    profile = load_profile("sunspec-example-pcs", config.file)
    assert profile.heartbeat is not None and profile.watchdog is not None
    seen: dict[str, int] = {}

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(20)
        kernel = wired.controller.kernel
        seen["mode"] = kernel.output.mode
        (pcs,) = wired.slaves["pcs"]
        seen["watchdog"] = pcs._memory[profile.watchdog.addr + 1]
        seen["reverts"] = pcs._memory[profile.watchdog.first[1][0]]
        first = pcs._memory[profile.heartbeat.addr + 1]
        await asyncio.sleep(10)
        seen["beats"] = pcs._memory[profile.heartbeat.addr + 1] - first
        seen["enable"] = pcs._memory[profile.writes[0].addr]

    wired = play(config, SiteSpec(units=unit_specs(config)), 1, script)
    assert seen["mode"] == Mode.RUN
    assert (seen["watchdog"], seen["reverts"], seen["enable"]) == (5, 1, 1)
    assert 8 <= seen["beats"] <= 11
    assert wired.controller.all_safe
