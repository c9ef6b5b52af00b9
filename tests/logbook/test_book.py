"""The uplink with a store on a real disk, in virtual time: what it keeps, and what the words say of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge.__main__ import main
from edge.cloud.codec import decode_sample, encode_sample
from edge.config.reader import load_config
from edge.control.kernel import Kernel, Mode, SiteCause
from edge.control.settings import config_struct
from edge.model import AuditEntry, Sample, SiteFlows
from edge.store.rollup import decode_quarter
from edge.store.segments import SegmentLog
from edge.uplink import Uplink, open_trace
from hil.demo.site import demo_tables, example_config, render
from tests.logbook.test_transitions import cycle, health

DAY_MS = 86_400_000
TRUE_MS = 1_900_000_000_000


class Clock:
    """Virtual; `off_ms` is how wrong the wall clock is."""

    def __init__(self) -> None:
        self.now_ms, self.off_ms, self.synced = 10_000, 0, True

    def mono_us(self) -> int:
        return self.now_ms * 1_000

    def mono_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return TRUE_MS + self.now_ms + self.off_ms


def site_file(folder: Path) -> Path:
    paths = {one.name: str(folder / f"tty-{one.name}") for one in example_config().port}
    tables = demo_tables(folder, paths, 1883, {"kind": "none"})
    tables["cloud"] = {}
    tables["store"]["path"] = str(folder / "store")
    file = folder / "site.toml"
    if not file.exists() or not file.stat().st_size:  # an unsynced one is empty after a cut
        file.write_text(render(tables))
    return file


class Site:
    """An uplink on virtual time; a second of it is a sample, a look and a step."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.file, self.clock = site_file(folder), clock
        self.config = load_config(self.file)
        self.uplink = Uplink(self.config, clock)
        self.uplink.logbook._is_synced = lambda: clock.synced
        self.uplink.trace = open_trace(self.config, Kernel(config_struct(self.config)))

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now_ms += 1_000
            mono_ms, wall_ms = self.clock.now_ms, self.clock.wall_ms()
            flows = SiteFlows(mono_ms, wall_ms, 5_000, 4_000, 0, -1_000, 5_000, 0, 5, 0, 0, 0, 3_300, 3_310, 250, 9, 0)
            self.uplink.note_flows(flows)
            self.uplink.step()


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_events_are_kept_over_a_restart_and_shown_newest_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, Clock())
    site.run(2)
    site.uplink.logbook.note_record(cycle(Mode.FAULT, 1 << SiteCause.ESTOP))
    site.uplink.note_health(health(2))
    site.uplink.note_audit(AuditEntry(1, 2, "console", "hold", "lunch"))
    site.run(1)
    live = [event.name for event in site.uplink.events()]
    assert live[0] == "start" and {"estop", "mode", "write_refused.pcs", "asked.hold"} <= set(live)
    file = site.file
    assert told(capsys, "events", "-c", str(file))[1][-1]["name"] == live[-1]  # beside the running owner
    site.uplink.close()
    file.write_text(file.read_text() + "\n# another\n")
    again = Uplink(load_config(file), site.clock)
    again.step()
    names = [event.name for event in again.events()]
    assert names[: len(live)] == live and names[len(live) :] == ["stop", "config.changed", "start"]
    again.close()
    code, rows = told(capsys, "events", "-c", str(file), "--level", "alarm")
    assert code == 0 and {row["level"] for row in rows} == {"alarm"} and "estop" in {row["name"] for row in rows}
    assert [row["name"] for row in told(capsys, "events", "-c", str(file), "--name", "asked")[1]] == ["asked.hold"]
    assert main(["events", "-c", str(file), "--last", "4"]) == 0
    shown = capsys.readouterr().out
    assert "config.changed" in shown and "2030-03-17" in shown and shown.count("\n") >= 4


def test_store_status_says_what_is_there_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, Clock())
    site.run(1_900)
    words = ("store", "status", "-c", str(site.file))
    code, found = told(capsys, *words)
    rings = {row["ring"]: row for row in found["rings"]}
    assert code == 0 and not found["faults"], found
    assert (rings["telemetry"]["first_seq"], rings["telemetry"]["last_seq"]) == (1, 1_900)
    assert rings["rollup"]["last_seq"] == 2 and rings["telemetry"]["last_wall_ms"] == site.clock.wall_ms()
    assert found["journal"]["row_counts"]["events"] >= 1
    site.uplink.close()
    (path,) = (tmp_path / "store" / "telemetry").glob("*.seg")
    raw = bytearray(path.read_bytes())
    raw[5_000] ^= 1
    path.write_bytes(raw)
    code, found = told(capsys, *words)
    assert code == 1 and "damaged bytes" in found["faults"][0]
    assert main(list(words)) == 1
    shown = capsys.readouterr().out
    assert "WRONG: telemetry/" in shown and "journal: version 1" in shown
    empty = tmp_path / "empty"
    empty.mkdir()
    assert told(capsys, "store", "status", "-c", str(site_file(empty)))[0] == 1
    assert main(["events", "-c", str(empty / "site.toml")]) == 2
    assert "no journal here yet" in capsys.readouterr().err


@pytest.mark.parametrize("off_ms", [-DAY_MS, DAY_MS, -20 * 365 * DAY_MS])
def test_samples_before_time_sync_are_sent_with_right_stamps_also_after_a_restart(tmp_path: Path, off_ms: int) -> None:
    clock = Clock()
    clock.off_ms, clock.synced = off_ms, False
    site = Site(tmp_path, clock)
    site.run(30)
    clock.off_ms, clock.synced = 0, True
    site.run(30)
    site.uplink.close()
    sync = Site(tmp_path, clock).uplink._sync
    assert sync is not None
    site = Site(tmp_path, clock)
    site.run(1)  # reads the journal
    sync = site.uplink._sync
    assert sync is not None
    entries = list(sync.log.read_from(1))
    assert len(entries) == 61
    raw = [decode_sample(entry.body) for entry in entries]
    sent = [
        sync._stretches.stamp(entry.boot, one)[0] for entry, one in zip(entries, raw, strict=True) if one is not None
    ]
    assert [one.wall_ms - one.mono_ms - TRUE_MS for one in raw if one] == [off_ms] * 30 + [0] * 31
    assert {one.wall_ms - one.mono_ms - TRUE_MS for one in sent if one} == {0}


def test_seconds_of_an_earlier_schema_stop_no_start_and_are_in_no_quarter(tmp_path: Path) -> None:
    old = SegmentLog(tmp_path / "store" / "telemetry", max_bytes=8 << 20, stream="site", context=b"fewer fields")
    for second in range(100):
        old.append(1, encode_sample(Sample(1_000 * second, TRUE_MS, (1, 2, 3))))
    old.close()
    site = Site(tmp_path, Clock())
    site.run(1_000)
    rollup = site.uplink.logbook.rollup
    assert rollup is not None
    found = [decode_quarter(entry.body) for entry in rollup.log.read_from(1)]
    assert found and found[0] is not None and found[0].first_seq == 101


def test_rollups_outlive_the_seconds_and_go_on_after_a_kill(tmp_path: Path) -> None:
    clock = Clock()
    site = Site(tmp_path, clock)
    site.run(2_000)
    site = Site(tmp_path, clock)  # killed
    site.run(2_000)
    assert site.uplink._give_room() == 0  # one segment only: nothing to spare
    ring = site.uplink.logbook.rollup
    assert ring is not None
    found = [decode_quarter(entry.body) for entry in ring.log.read_from(1)]
    covered = [seq for one in found if one for seq in range(one.first_seq, one.last_seq + 1)]
    assert covered == list(range(1, covered[-1] + 1)) and 2_700 <= covered[-1] < 4_000
    assert all(one is not None and one.count == one.last_seq - one.first_seq + 1 for one in found)
