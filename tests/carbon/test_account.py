"""The account over restarts: no quarter twice, none forgotten, the battery's carbon goes on."""

from dataclasses import replace
from pathlib import Path

from edge.carbon.account import CarbonAccount, Kept
from edge.carbon.interval import ClockState, FactorUse, Interval
from edge.carbon.pool import PoolState
from edge.carbon.registers import RegisterBook
from edge.model import RegisterValue
from edge.store.db.checkpoint import SLOT_BYTES, CheckpointFile
from tests.carbon.test_flow import flows

START_MS = 1_735_689_600_000
CLOCK = ClockState("ntp", 0, synced=True)
FACTOR = FactorUse("ercot/1", "average_generation", 300_000, "ERCOT", "2023", None, "", "measured")


class Site:
    """Seconds of a site whose account can be killed at any of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.second = folder, 0
        self.kept: list[Interval] = []
        self.start()

    def start(self) -> None:
        self.account = CarbonAccount(10_000, RegisterBook(), CheckpointFile(self.folder / "carbon.checkpoint"))
        if self.kept:
            last = self.kept[-1]
            self.account.begin_after(Kept(last.stop_wall_ms, PoolState(last.stored_close_uj, last.carbon_close_ug)))

    def run(self, seconds: int, *, checkpoints: bool = True) -> None:
        for _ in range(seconds):
            self.second += 1
            counted = RegisterValue("poc", "meter.energy_import", 1_000 + self.second)
            now = replace(flows(3_600, 500, -1_000, soc_cpct=5_000), registers=(counted,))
            now = replace(now, wall_ms=START_MS + self.second * 1000, mono_ms=self.second * 1000)
            self.account.second(now, 1_000, FACTOR, CLOCK)
            took = len(self.account.closed)
            while self.account.closed:
                self.kept.append(self.account.closed.popleft())
            if checkpoints:
                self.account.keep(self.second * 1000, now=bool(took))


def test_a_restart_loses_at_most_the_minute_since_the_checkpoint_and_no_energy_of_a_register(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(1_000)
    site.start()  # killed at 1 000 s, the newest checkpoint is of 961 s
    site.run(801)
    first, second = site.kept
    assert (first.start_wall_ms, first.missing_ms) == (START_MS, 0)
    assert second.start_wall_ms == first.stop_wall_ms and 39_000 <= second.missing_ms <= 60_000
    assert (second.stored_open_uj, second.carbon_open_ug) == (first.stored_close_uj, first.carbon_close_ug)
    # the first reading opens, each boundary is a reading: 1 Wh a second passes through the register
    assert [span.delta_wh for one in site.kept for span in one.registers] == [899, 900]


def test_a_quarter_that_was_kept_is_not_booked_again_from_an_older_checkpoint(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(890)
    site.run(20, checkpoints=False)  # the quarter closed at 900 s and was kept; the checkpoint is from before
    assert len(site.kept) == 1
    last = site.kept[0]
    site.start()
    site.run(900)
    assert [one.start_wall_ms for one in site.kept] == [START_MS, START_MS + 900_000]
    assert (site.kept[1].stored_open_uj, site.kept[1].carbon_open_ug) == (last.stored_close_uj, last.carbon_close_ug)
    totals = site.account.totals()
    assert totals.opening_ug + totals.grid_ug == totals.load_ug + totals.export_ug + totals.loss_ug + totals.stored_ug


def test_minutes_are_closed_beside_the_quarters(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(61)
    minute = site.account.minute
    assert minute is not None and minute.stop_wall_ms - minute.start_wall_ms == 60_000
    assert minute.facility_mj == 60 * 3_100 * 1_000


def test_a_checkpoint_with_a_torn_slot_is_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "state"
    file = CheckpointFile(path)
    for number in range(5):
        assert file.write({"number": number})
    raw = bytearray(path.read_bytes())
    for offset in range(0, len(raw), 97):
        torn = bytearray(raw)
        torn[offset] ^= 0x55
        path.write_bytes(torn)
        found = CheckpointFile(path).state
        newest_is_torn = offset < SLOT_BYTES  # generation 5 is odd: the second slot; 4 is in the first
        assert found == {"number": 4 if newest_is_torn else 3}
    path.write_bytes(raw[:100])
    assert CheckpointFile(path).state is None
    assert not file.write({"text": "x" * SLOT_BYTES}) and "at most" in file.fault


def test_a_soc_that_comes_late_is_where_the_quarter_began(tmp_path: Path) -> None:
    account = CarbonAccount(10_000)
    for second in range(1, 902):
        now = flows(3_600, 0, -1_000, soc_cpct=None if second < 300 else 5_000)
        account.second(replace(now, wall_ms=START_MS + second * 1000, mono_ms=second * 1000), 1_000, FACTOR, CLOCK)
    (one,) = account.closed
    charged = sum(flow.carbon_ug for flow in one.flows if flow.sink == "battery")
    assert one.carbon_open_ug > 0 and one.carbon_open_ug + charged == one.carbon_close_ug
