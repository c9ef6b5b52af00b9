"""Smoothing's fast part is for a POC meter of which somebody has said how long it averages: what is missing forbids."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.__main__ import main
from edge._kernel import lib as tw
from edge.config.options import Config
from edge.config.reader import load_config, parse_config
from edge.console.screens import limits_screen, status_screen, why_screen
from edge.control.settings import AVERAGING_FAST_MAX_MS, config_struct, smoothing_doubt
from edge.field.profile import Profile
from edge.field.profiles.loader import load_profile
from hil.assembly import unit_specs
from hil.day.image import EXAMPLE, day_config, example_tables
from hil.day.wired import WiredSite, play
from hil.plant.site import SiteSpec


def site(averaging_ms: int | None, **limits: int) -> Config:
    tables = example_tables()
    tables["limits"] |= limits
    poc = tables["device"][0]
    poc.pop("averaging_ms")
    if averaging_ms is not None:
        poc["averaging_ms"] = averaging_ms
    return parse_config(tables, "site.toml")


def profiled(averaging_ms: int | None) -> dict[str, Profile]:
    profile = load_profile("abb-b23")
    return {"poc": replace(profile, link=replace(profile.link, averaging_ms=averaging_ms))}


@pytest.mark.parametrize(
    ("site_ms", "profile_ms", "doubt"),
    [
        (None, None, "meter_unsure"),
        (0, None, ""),
        (None, 0, ""),
        (500, None, ""),
        (AVERAGING_FAST_MAX_MS, None, ""),
        (AVERAGING_FAST_MAX_MS + 1, 20, "meter_slow"),
        (20, 5_000, ""),
        (None, 5_000, "meter_slow"),
    ],
)
def test_the_fast_part_is_for_a_meter_whose_short_average_is_told(
    site_ms: int | None, profile_ms: int | None, doubt: str
) -> None:
    config, profiles = site(site_ms), profiled(profile_ms)
    found = smoothing_doubt(config, profiles)
    assert (found.name if found else "") == doubt
    dead_time_ms = config_struct(config, profiles).wish.dead_time_ms
    assert dead_time_ms == (tw.TW_METER_UNSURE if doubt else config.functions.dead_time_ms)


def test_without_profiles_only_the_site_files_own_word_counts() -> None:
    assert config_struct(site(0)).wish.dead_time_ms == 0
    assert config_struct(site(None)).wish.dead_time_ms == tw.TW_METER_UNSURE


def test_where_no_ramp_is_asked_for_nothing_is_in_doubt() -> None:
    assert smoothing_doubt(site(None, ramp_up_max_w_per_s=0, ramp_down_max_w_per_s=0), profiled(None)) is None


def test_check_says_what_is_missing_and_what_to_do_and_what_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example that ships says nothing: nobody has measured the meter of the site it is copied to."""
    assert smoothing_doubt(load_config(EXAMPLE)) is not None
    file = tmp_path / "site.toml"
    for line, wanted in (
        ("", "LOOK poc: nobody says over how long the POC meter averages: smoothing answers only the slow part"),
        ("averaging_ms = 480\n", "poc: averages over 480 ms, the site file says\n"),
        ("averaging_ms = 1_200\n", "LOOK poc: averages over 1200 ms, the site file says: smoothing answers only"),
    ):
        file.write_text(EXAMPLE.read_text().replace('name = "poc"\n', f'name = "poc"\n{line}', 1))
        assert main(["check", "-c", str(file)]) == 0
        assert wanted in capsys.readouterr().out
    assert main(["check", "-c", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["smoothing"] == {"averaging_ms": 1200, "doubt": "meter_slow"}


@pytest.mark.parametrize("told", [True, False])
def test_the_status_of_a_running_site_names_the_doubt_and_a_known_meter_has_none(told: bool) -> None:
    tables: dict[str, Any] = {"site": {"cycle_ms": 100}}
    config = day_config(**tables)
    if not told:
        devices = tuple(replace(device, averaging_ms=-1) for device in config.device)
        config = replace(config, device=devices)

    async def script(wired: WiredSite) -> None:
        await asyncio.sleep(90)
        view = wired.controller.picture.status()
        assert view.mode == "RUN"
        assert ("meter_unsure" in [reason.name for reason in view.reasons]) is not told
        text = "\n".join([*status_screen(view), *why_screen(view), *limits_screen(view)])
        assert ("edge check --live --sign-test" in text) is not told
        assert (view.gain_permille > 0) is told

    play(config, SiteSpec(units=unit_specs(config, connected=True)), 1, script)
