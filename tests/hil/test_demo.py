"""The demo as a user runs it: real processes, PTYs, a broker, an ingest; and the controller killed in the middle of it."""

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.fleet.replay import replay
from hil.assembly import build_site, build_slaves, unit_specs
from hil.demo import processes
from hil.demo.broker import broker_text, find_broker
from hil.demo.site import demo_tables, example_config, render
from hil.plant.site import SiteSpec
from hil.pty import PtyBus

pytestmark = pytest.mark.hil
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def demo(tmp_path: Path, *arguments: str) -> str:
    if find_broker() is None:
        pytest.skip(broker_text())
    command = [sys.executable, "-m", "edge", "demo", "--headless", "--folder", str(tmp_path / "demo"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "demo" / "edge.log").read_text()
    return done.stdout


def test_the_demo_runs_stores_acknowledges_and_ends_at_zero(tmp_path: Path) -> None:
    text = demo(tmp_path, "--minutes", "0.35")
    assert "PCS at the end        0 kW" in text and "exit code 0" in text
    rows = sqlite3.connect(tmp_path / "demo" / "ingest.sqlite").execute("SELECT COUNT(*) FROM sample").fetchone()[0]
    assert rows >= 15
    assert f"the ingest holds {rows}, 0 of them double" in text
    assert re.search(r"first RUN cycle +\d+\.\d s after every device had answered completely", text)
    assert re.search(r"cycle lateness +p50 \d+\.\d\d ms, p99 \d", text)
    verdict = replay(tmp_path / "demo" / "store" / "trace")
    assert verdict.same, verdict.text


def test_the_demo_plays_a_real_load_and_a_real_grid(tmp_path: Path) -> None:
    load = DATA / "load" / "64xH100_gpt3_ac_run5848_2_pernode.csv.gz"
    grid = DATA / "carbon" / "ERCO_2020_2021_hourly_fuelmix_ci.csv.gz"
    if not load.exists() or not grid.exists():
        pytest.skip("the shared data folder is not here")
    text = demo(tmp_path, "--minutes", "0.3", "--load-trace", str(load), "--intensity", str(grid))
    assert "g/kWh" in text and "PCS at the end        0 kW" in text


def test_a_killed_controller_leaves_the_pcs_at_zero_by_the_devices_own_timer(tmp_path: Path) -> None:
    config = example_config()
    site = build_site(config, SiteSpec(units=unit_specs(config)), 1)
    slaves = build_slaves(config, site)
    clock = SystemClock()

    async def play() -> None:
        start_us, moved_s = clock.mono_us(), 0.0

        def move() -> None:
            nonlocal moved_s
            while (clock.mono_us() - start_us) / 1e6 - moved_s >= 0.05:
                site.step(0.05)
                moved_s += 0.05

        buses = {port.name: PtyBus(port.name, port.baud, slaves[port.name], before=move) for port in config.port}
        for bus in buses.values():
            bus.start()
        tables = demo_tables(tmp_path, {n: b.path for n, b in buses.items()}, 1, {"kind": "none"})
        del tables["cloud"]
        tables["limits"]["import_max_w"] = 20_000  # forces discharge at once
        (tmp_path / "site.toml").write_text(render(tables))
        edge = [sys.executable, "-m", "edge", "run", "-c", str(tmp_path / "site.toml")]
        process = await processes.start(edge, tmp_path / "edge.log")
        try:
            for _ in range(300):
                await asyncio.sleep(0.1)
                move()
                if site.units[0].pcs.power_w > 5_000:
                    break
            assert site.units[0].pcs.power_w > 5_000, (tmp_path / "edge.log").read_text()
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            for _ in range(80):  # the watchdog of the example is 5 s
                await asyncio.sleep(0.1)
                move()
            assert abs(site.units[0].pcs.power_w) < 1 and site.units[0].pcs.comm_lost
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            for bus in buses.values():
                bus.stop()

    asyncio.run(play())


@pytest.mark.parametrize("word", ["check -c deploy/site.example.toml", "--help", "replay /nonexistent"])
def test_the_words_of_the_command_answer(word: str) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-m", "edge", *word.split()], cwd=root, capture_output=True, text=True,
                          timeout=30, check=False)  # fmt: skip
    assert done.returncode == (2 if word.startswith("replay") else 0), done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_says_what_is_missing_without_the_hil_package(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).resolve().parents[2] / "edge", tmp_path / "edge")
    (tmp_path / "hil.py").write_text("raise ModuleNotFoundError('hil')")
    script = "import sys; sys.path.insert(0, '.'); from edge.__main__ import main; sys.exit(main(['demo']))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and "hil package" in done.stderr
