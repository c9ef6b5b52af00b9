"""How good a value is: what jumps is held once, what stands still is old, and nothing is stamped anew."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.options import Config
from edge.console.screens import devices_screen
from edge.field.profile import Profile
from edge.field.profiles.loader import load_profile
from edge.field.quality import BlockWatch, DeviceWatch, SiteWatch
from edge.model import Quality, Reading
from hil.assembly import unit_specs
from hil.day.image import day_config
from hil.day.wired import WiredSite
from hil.faults import Fault, FaultBox
from hil.plant.site import SiteSpec
from hil.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.field.test_bus import Bench, play
from tests.test_wired import until

STEP_W = 1_000


def stepping(step_max: int | None = STEP_W) -> Profile:
    profile = load_profile("abb-b23")
    power = profile.blocks[0]
    point = replace(power.points[0], step_max=step_max)
    return replace(profile, blocks=(replace(power, points=(point,)), *profile.blocks[1:]))


def passed(values: Iterable[int | None]) -> tuple[BlockWatch, list[Reading]]:
    """What comes out when these powers are read, 100 ms apart."""
    watch = BlockWatch(stepping().blocks[0])
    readings = [Reading("poc", "power", 100 * n, (v,), v is not None) for n, v in enumerate(values)]
    return watch, [watch.note(reading) for reading in readings]


@pytest.mark.parametrize(
    ("read", "believed"),
    [
        ([0, 900, 1_900, 2_900], [0, 900, 1_900, 2_900]),
        ([0, 5_000, 0, 100], [0, None, 0, 100]),
        ([0, 5_000, 5_100, 5_200], [0, None, 5_100, 5_200]),
        ([0, 5_000, 9_000, 9_100], [0, None, None, 9_100]),
        ([0, 5_000, None, 5_000, 5_000], [0, None, None, 5_000, 5_000]),
        ([0, 1_000, 2_001], [0, 1_000, None]),
        ([9_000, 9_100], [9_000, 9_100]),
    ],
    ids=["slow", "one wild value", "a real jump", "two jumps", "a gap between", "the border", "the first is believed"],
)
def test_a_step_beyond_the_possible_is_held_once_and_believed_when_repeated(
    read: list[int | None], believed: list[int | None]
) -> None:
    _, readings = passed(read)
    assert [reading.values[0] for reading in readings] == believed
    assert [reading.complete for reading in readings] == [value is not None for value in believed]


@given(st.lists(st.none() | st.integers(-20_000, 20_000), max_size=60))
def test_whatever_is_read_nothing_is_invented_or_stamped_anew(read: list[int | None]) -> None:
    watch, readings = passed(read)
    last_ms = None
    near_to: list[int] = []  # the last read and the last believed
    for number, (value, reading) in enumerate(zip(read, readings, strict=True)):
        assert reading.taken_mono_ms == 100 * number and reading.values[0] in (value, None)
        if value is None:
            continue
        believed = reading.values[0] is not None
        assert believed == (not near_to or any(abs(other - value) <= STEP_W for other in near_to))
        last_ms = reading.taken_mono_ms if believed else last_ms
        near_to = [value] if believed else [value, near_to[-1]]
    assert watch.taken_mono_ms == last_ms


def test_quality_follows_the_age_of_the_last_whole_reading() -> None:
    watch = BlockWatch(stepping().blocks[0])
    assert watch.quality(0, 3_000) is Quality.BAD
    watch.note(Reading("poc", "power", 1_000, (50,), True))
    assert watch.quality(4_000, 3_000) is Quality.GOOD and watch.quality(4_001, 3_000) is Quality.STALE
    watch.note(Reading("poc", "power", 1_100, (None,), False))
    assert watch.quality(1_200, 3_000) is Quality.HELD and watch.fault == "power_total: not available or out of range"
    watch.note(Reading("poc", "power", 1_200, (9_000,), True))
    assert watch.fault == "power_total: jumped from 50 to 9000, held back once"
    assert watch.taken_mono_ms == 1_000 and watch.quality(1_300, 3_000) is Quality.HELD
    watch.note(Reading("poc", "power", 1_300, (9_010,), True))
    assert watch.quality(1_300, 3_000) is Quality.GOOD


def test_a_device_is_as_old_as_the_oldest_block_it_cannot_do_without() -> None:
    watch = DeviceWatch(load_profile("sinexcel-pcs-30"))
    fast, state, energy = watch.blocks
    assert watch.age_ms(500) is None
    fast.note(Reading("pcs", "fast", 400, (0, 0, 0, 0), True))
    assert watch.age_ms(500) is None, "its state was never read"
    state.note(Reading("pcs", "state", 100, (0, 0, 0, 0), True))
    energy.note(Reading("pcs", "energy", 450, (0, 0), True))
    assert watch.age_ms(500) == 400


def heartbeat() -> DeviceWatch:
    profile = load_profile("sinexcel-pcs-30")
    fast = profile.blocks[0]
    beat = replace(fast.points[1], name="beat", role="pcs.heartbeat")
    return DeviceWatch(replace(profile, blocks=(replace(fast, points=(fast.points[0], beat)), *profile.blocks[1:])))


def test_a_heartbeat_that_stands_still_makes_the_device_as_old_as_its_last_count() -> None:
    watch = heartbeat()
    for mono_ms in range(0, 12_000, 100):
        beat = min(mono_ms, 3_000) // 1_000
        watch.note(Reading("pcs", "fast", mono_ms, (mono_ms, beat), True))
        watch.judge(mono_ms, 100, power_min_w=500)
        assert watch.frozen_since_ms == (3_000 if mono_ms > 8_000 else None), mono_ms
    assert watch.quality(12_000) == (Quality.BAD, "frozen: its heartbeat stands at 3")
    watch.note(Reading("pcs", "fast", 12_000, (0, 4), True))
    watch.judge(12_000, 100, power_min_w=500)
    assert watch.frozen_since_ms is None


def energy(power_w: int, count_wh: int, minutes: int) -> DeviceWatch:
    """A meter whose energy counter moves by `count_wh` a minute, for five minutes; then it stands still."""
    watch = DeviceWatch(load_profile("abb-b23"))
    for second in range(60 * (5 + minutes)):
        watch.note(Reading("poc", "power", 1_000 * second, (power_w,), True))
        if second % 10 == 0:
            minute = min(second // 60, 5)
            watch.note(Reading("poc", "energy", 1_000 * second, (1_000_000 + minute * count_wh, 7_000), True))
        watch.judge(1_000 * second, 1_000, power_min_w=500)
        assert second < 360 or watch.frozen_since_ms in (None, 300_000)
        assert second >= 360 or not watch.frozen, "a minute at least"
    return watch


def test_energy_counters_that_stand_still_while_power_flows_mark_a_device_frozen() -> None:
    assert energy(30_000, 500, 3).frozen == "its energy counters stand still, 1483 Wh have flowed"
    assert energy(-30_000, 500, 3).frozen, "either direction"
    assert not energy(400, 7, 60).frozen, "what is too little to be counted"
    assert not energy(600, 10, 15).frozen, "150 Wh may still be a counter with few digits"


class Site:
    """The POC meter, the load and the PCS of the example site as a watch sees them: their last digits never rest."""

    def __init__(self) -> None:
        self.config: Config = day_config()
        self.watches = {device.name: DeviceWatch(load_profile(device.profile)) for device in self.config.device}
        self.watch = SiteWatch(self.config, self.watches)
        self.mono_ms = 0

    def seconds(self, count: int, poc_w: int | None, *, load_w: int = 0, pcs_w: int = 0, noise_w: int = 3) -> str:
        """Ten readings a second; None: the POC shows what load and PCS make of it."""
        for _ in range(10 * count):
            self.mono_ms += 100
            true_w = load_w - pcs_w + self.mono_ms // 100 % 3
            self.say("poc", "power", (true_w if poc_w is None else poc_w,))
            self.say("pcs1", "fast", (pcs_w, 0, 0, 0))
            if self.mono_ms % 1_000 < 100:  # the load meter is slow
                self.say("it1", "power", (load_w + self.mono_ms // 1_000 % noise_w,))
            self.watch.judge(self.mono_ms)
        return self.watches["poc"].frozen

    def say(self, name: str, block: str, values: tuple[int, ...]) -> None:
        self.watches[name].note(Reading(name, block, self.mono_ms, values, True))


def test_a_poc_meter_that_stands_still_while_the_others_move_the_grid_is_frozen_since_its_last_change() -> None:
    site = Site()
    assert not site.seconds(10, None, load_w=40_000)
    since_ms = site.mono_ms
    assert not site.seconds(20, 40_000, load_w=40_000), "nothing moves: it may be right"
    assert not site.seconds(20, 40_000, load_w=50_000, pcs_w=10_000), "battery and load cancel each other"
    assert not site.seconds(2, 40_000, load_w=60_000, pcs_w=10_000), "it may be about to say so"
    assert site.seconds(3, 40_000, load_w=60_000, pcs_w=10_000).startswith(
        "its power stands at 40000 W, the others moved the grid by 1000"
    )
    assert site.seconds(20, 40_000, load_w=40_000), "that they come back proves nothing"
    assert since_ms - 200 <= (site.watches["poc"].frozen_since_ms or 0) <= since_ms + 200
    assert not site.seconds(2, None, load_w=60_000, pcs_w=10_000), "it moves again"


def test_a_load_meter_that_sees_a_step_later_than_the_poc_is_no_evidence() -> None:
    site = Site()
    site.seconds(10, 30_000, load_w=30_000)
    site.mono_ms += 50  # so that the step falls between two readings of the load
    assert not site.seconds(60, 60_000, load_w=60_000)


def test_one_jump_of_another_is_no_evidence_it_may_be_the_one_that_stood_still() -> None:
    site = Site()
    site.seconds(10, None, load_w=60_000, pcs_w=10_000, noise_w=1)
    site.seconds(10, 50_000, load_w=60_000, pcs_w=10_000, noise_w=1)
    assert not site.seconds(60, 50_000, load_w=60_000, pcs_w=0, noise_w=1), "the PCS thaws and says what it does"


def test_a_meter_with_nothing_to_measure_is_not_frozen() -> None:
    site = Site()
    site.seconds(10, 0, load_w=30_000, pcs_w=30_000)
    assert not site.seconds(60, 0, load_w=35_000, pcs_w=33_000)


def frozen_poc(from_s: float) -> tuple[list[int], list[int], str]:
    """Ages of the POC in the kernel, setpoints, and the last screen of devices, second by second."""

    async def main(loop: VirtualLoop, clock: VirtualClock) -> tuple[list[int], list[int], str]:
        config = day_config(site={"cycle_ms": 100})
        box = FaultBox([Fault("poc", "frozen", from_s)])
        wired = WiredSite(config, SiteSpec(units=unit_specs(config)), 1, clock, faults=box)
        controller = wired.controller
        task = asyncio.create_task(controller.run())
        await until(wired, "RUN")
        ages_ms, setpoints_w = [], []
        for _ in range(60):
            await asyncio.sleep(1)
            ages_ms.append(controller.kernel.input.poc_age_ms)
            setpoints_w.append(controller.kernel.output.battery_w)
        task.cancel()
        status = controller.picture.status()
        poc_age_ms = status.devices[0].age_ms
        assert poc_age_ms is not None and abs(poc_age_ms - ages_ms[-1]) < 300, "both say the same"
        return ages_ms, setpoints_w, "\n".join(devices_screen(status))

    return run_virtual(main)


def test_a_frozen_poc_meter_is_no_meter_to_the_kernel() -> None:
    """It answers every 100 ms with the same registers; an AI load swings behind it."""
    ages_ms, setpoints_w, screen = frozen_poc(30.0)
    assert max(ages_ms[:20]) < 300 and max(ages_ms[24:34]) < 12_000
    assert ages_ms[-1] > 20_000 and setpoints_w[-10:] == [0] * 10
    assert "BAD" in screen and "frozen: its power stands at" in screen


def test_a_poc_meter_that_works_is_never_frozen() -> None:
    ages_ms, _, _ = frozen_poc(1e9)
    assert max(ages_ms) < 300


def test_a_meter_that_averages_is_half_of_it_older_at_the_door() -> None:
    def averaging(bench: Bench) -> None:
        bench.bus.device("poc").lag_ms = 250

    plain, late = play(2).of("poc", "power"), play(2, averaging).of("poc", "power")
    assert [reading.taken_mono_ms - 250 for reading in plain] == [reading.taken_mono_ms for reading in late]
