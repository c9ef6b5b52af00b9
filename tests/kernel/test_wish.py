"""The site functions of the wish half, one sentence a test: a site whose battery does what it is told one cycle later."""

from itertools import pairwise
from random import Random
from typing import Any

import pytest

from edge._kernel import lib as tw
from edge.control.kernel import Function, Kernel, Mode, Safe, Signal, WishKind, members
from tests.kernel.rig import RUN, Rig, configure, heal

CALIBRATE = 32
UNSURE = tw.TW_METER_UNSURE
OFF_GRID = {"poc_voltage_dv": 0}


class Site(Rig):
    """`wish`: fields of tw_wish_config_t. `serve` closes the loop: meter and PCS show load and last setpoint."""

    def __init__(self, wish: dict[str, Any], **changes: int) -> None:
        self.obedient = False  # the site below does it
        self.config = configure(1, io_required=0, **changes)
        for name, value in wish.items():
            setattr(self.config.wish, name, value)
        self.kernel = Kernel(self.config)
        self.input: Any = self.kernel.input
        self.out: Any = self.kernel.output
        self.state: Any = self.kernel.state
        heal(self.input)
        self.grid_w: list[int] = []
        self.serve(40_000, 4_000)
        assert self.out.mode == Mode.RUN, self.told()
        self.grid_w.clear()

    def serve(self, load_w: int, time_ms: int, **values: int) -> Any:
        self.put(**values)
        for _ in range(time_ms // self.config.cycle_ms):
            self.input.unit[0].power_w = self.out.battery_w
            self.input.poc_power_w = load_w - self.out.battery_w
            self.grid_w.append(self.input.poc_power_w)
            self.input.unit[0].pack_current_da = self.out.battery_w // 77
            self.step()
        return self.out

    def does(self, function: Function) -> bool:
        return function in members(Function, self.out.functions)

    def plan(self, kind: WishKind, power_w: int, left_ms: int = 10_000) -> Any:
        return self.serve(40_000, 1_000, wish_kind=kind, wish_w=power_w, wish_left_ms=left_ms)


def test_a_plan_for_the_battery_is_followed_and_forgotten_when_its_lease_ends() -> None:
    site = Site({})
    assert site.plan(WishKind.BATTERY, 7_000).battery_w == 7_000
    assert site.does(Function.PLAN)
    assert site.serve(40_000, 300, wish_left_ms=0).battery_w == 0
    assert not site.does(Function.PLAN)


def test_a_plan_for_the_grid_holds_the_grid() -> None:
    site = Site({})
    assert site.plan(WishKind.GRID, 25_000).battery_w == 15_000
    site.serve(45_000, 500)
    assert site.grid_w[-1] == 25_000


def test_by_hand_passes_every_function_but_not_the_guard() -> None:
    site = Site({"peak_shave_w": 30_000, "soc_band_cpct": 500, "soc_target_cpct": 1_000})
    assert site.plan(WishKind.MANUAL, -9_000).battery_w == -9_000
    assert members(Function, site.out.functions) == [Function.MANUAL]
    assert site.serve(75_000, 500).battery_w == -5_000, "the import limit is the guard's"


def test_self_consumption_holds_the_grid_at_its_target() -> None:
    site = Site({"self_consumption": 1, "grid_target_w": 2_000})
    assert site.serve(20_000, 500).battery_w == 18_000
    assert site.does(Function.SELF_CONSUMPTION)


def test_a_peak_is_shaved_and_below_it_nothing_happens() -> None:
    site = Site({"peak_shave_w": 45_000})
    assert site.serve(44_000, 500).battery_w == 0
    assert site.serve(60_000, 500).battery_w == 15_000
    assert site.does(Function.PEAK_SHAVING)


def test_recharging_raises_the_grid_to_its_limit_until_the_target_is_there() -> None:
    site = Site({"peak_shave_w": 60_000, "recharge_w": 50_000, "soc_target_cpct": 6_000})
    assert site.serve(40_000, 500).battery_w == -10_000
    assert site.does(Function.RECHARGE)
    assert site.serve(40_000, 500, soc_cpct=6_000).battery_w == 0
    assert site.serve(40_000, 500, soc_cpct=5_950).battery_w == 0, "it waits until 1 % is missing"
    assert site.serve(40_000, 500, soc_cpct=5_890).battery_w == -10_000


def window(site: Site, load_w: int, time_ms: int) -> None:
    for _ in range(time_ms // 1_000):
        site.input.window_left_ms -= 1_000
        site.serve(load_w, 1_000)


def test_the_demand_window_gives_what_its_average_still_allows() -> None:
    site = Site({"demand_max_w": 50_000})
    site.input.window_left_ms = 900_000
    window(site, 20_000, 300_000)
    assert site.out.battery_w == 0
    window(site, 64_000, 3_000)
    assert site.out.battery_w == 0, "two thirds of the window may have 65 kW: (50 * 15 - 20 * 5) / 10"
    window(site, 70_000, 3_000)
    assert 4_500 < site.out.battery_w < 5_500
    assert site.does(Function.DEMAND_WINDOW)


def test_the_average_of_a_window_stays_at_what_was_agreed() -> None:
    site = Site({"demand_max_w": 50_000})
    site.input.window_left_ms = 900_000
    for load_w in (30_000, 70_000, 55_000):
        window(site, load_w, 298_000)
    assert sum(site.grid_w) / len(site.grid_w) <= 50_100


def test_a_peak_that_is_billed_anyway_may_be_used() -> None:
    site = Site({"demand_max_w": 50_000})
    site.input.window_left_ms, site.input.billed_peak_w = 900_000, 60_000
    window(site, 59_000, 20_000)
    assert site.out.battery_w == 0


def test_the_slope_of_the_grid_is_limited_while_the_battery_carries_the_rest() -> None:
    site = Site({"ramp_up_max_w_per_s": 100, "ramp_down_max_w_per_s": 100, "dead_time_ms": 200})
    site.serve(40_000, 20_000)
    reference_w, off_w = [site.out.reference_w], []
    for _ in range(300):
        reference_w.append(site.serve(60_000, 100).reference_w)
        off_w.append(abs(site.grid_w[-1] - site.out.reference_w))
    assert site.does(Function.POC_RAMP)
    assert site.does(Function.FEED_FORWARD)
    assert all(0 <= later - earlier <= 11 for earlier, later in pairwise(reference_w[3:]))
    assert max(off_w[5:]) <= 6_000, "the step was of 20 kW"
    assert max(off_w[200:]) <= 3_000


def test_no_reference_is_followed_that_the_grid_left_while_nobody_looked() -> None:
    site = Site({"ramp_up_max_w_per_s": 500, "ramp_down_max_w_per_s": 500, "dead_time_ms": 200})
    site.serve(40_000, 20_000)
    for _ in range(30):
        site.step(poc_age_ms=site.input.poc_age_ms + 100)
    site.serve(60_000, 8_000, poc_age_ms=50)
    assert abs(site.out.battery_w) < 15_000


def test_charge_is_centred_by_a_slow_push_with_the_sign_of_the_error() -> None:
    site = Site({"soc_target_cpct": 5_500, "soc_band_cpct": 500})
    assert site.serve(40_000, 500, soc_cpct=5_500).battery_w == 0
    assert site.serve(40_000, 500, soc_cpct=5_750).battery_w == 30_000 // 16
    assert site.does(Function.CENTRING)
    assert site.serve(40_000, 500, soc_cpct=4_000).battery_w == -30_000 // 8
    assert site.plan(WishKind.BATTERY, 1_000).battery_w == 1_000, "a plan keeps its own account"


def test_centring_raises_no_peak() -> None:
    site = Site({"soc_target_cpct": 5_500, "soc_band_cpct": 500, "peak_shave_w": 42_000})
    assert site.serve(40_000, 500, soc_cpct=4_000).battery_w == -2_000


def test_a_load_with_short_dips_does_not_fill_the_battery() -> None:
    smooth = {"ramp_up_max_w_per_s": 50, "ramp_down_max_w_per_s": 50, "dead_time_ms": 200}
    site = Site(smooth | {"soc_target_cpct": 5_500, "soc_band_cpct": 500})
    charge_cpct, hours = 5_500.0, []
    for _ in range(2):
        for number in range(36_000):
            battery_w = site.serve(25_000 if number % 200 < 30 else 40_000, 100, soc_cpct=round(charge_cpct)).battery_w
            charge_cpct -= battery_w * 0.1 / 3_600 / 60_000 * 10_000
        hours.append(charge_cpct)
    assert abs(hours[1] - hours[0]) <= 100 / 24, "1 % a day"
    assert abs(hours[1] - 5_500) <= 50


def test_a_calibration_charges_to_the_top_holds_and_says_so_until_the_command_ends() -> None:
    site = Site({"calibrate_w": 10_000, "calibrate_hold_ms": 5_000, "peak_shave_w": 48_000})
    assert site.serve(40_000, 500, commands=RUN | CALIBRATE).battery_w == -8_000, "within the peak"
    assert site.serve(30_000, 500).battery_w == -10_000
    assert site.does(Function.CALIBRATION)
    site.serve(30_000, 4_000, bms_flags=site.input.unit[0].bms_flags | 8)
    assert not Signal.CALIBRATED & site.out.signals
    site.serve(30_000, 2_000)
    assert Signal.CALIBRATED & site.out.signals
    assert not site.does(Function.CALIBRATION)
    site.serve(30_000, 500, commands=RUN)
    assert not Signal.CALIBRATED & site.out.signals


@pytest.mark.parametrize(
    ("frequency_mhz", "power_w"),
    [(50_000, 0), (49_980, 0), (49_800, 1_800), (50_200, -1_800), (48_000, 5_000), (-2_147_483_647, 0)],
)
def test_frequency_is_answered_beyond_its_dead_band_up_to_a_limit(frequency_mhz: int, power_w: int) -> None:
    droop = {"frequency_nominal_mhz": 50_000, "droop_deadband_mhz": 20, "droop_w_per_hz": 10_000, "droop_max_w": 5_000}
    site = Site(droop)
    assert site.serve(40_000, 300, poc_frequency_mhz=frequency_mhz).battery_w == power_w
    smooth = Site(droop | {"ramp_up_max_w_per_s": 20, "ramp_down_max_w_per_s": 20, "dead_time_ms": 200})
    smooth.serve(40_000, 30_000)
    assert smooth.serve(40_000, 300, poc_frequency_mhz=frequency_mhz).battery_w == pytest.approx(power_w, abs=30)


@pytest.mark.parametrize(
    ("voltage_dv", "permille"),
    [(2_300, 0), (2_070, 1_000), (2_024, 1_000), (2_139, 500), (2_461, -500), (2_590, -1_000)],
)
def test_reactive_power_follows_the_voltage_on_its_curve(voltage_dv: int, permille: int) -> None:
    curve = {"var_voltage_permille": [900, 960, 1_040, 1_100], "var_permille": [1_000, 0, 0, -1_000]}
    site = Site({"voltage_nominal_dv": 2_300} | curve)
    assert site.serve(40_000, 300, poc_voltage_dv=voltage_dv).reactive_permille == pytest.approx(permille, abs=2)


def test_a_fixed_power_factor_goes_with_the_power_of_the_battery() -> None:
    site = Site({"power_factor_permille": 900})
    site.plan(WishKind.BATTERY, 15_000)
    assert site.out.reactive_permille == pytest.approx(15_000 * 0.4843 / 10_000 * 1_000, abs=3)
    assert site.does(Function.REACTIVE)


def test_the_generator_starts_low_stops_high_and_runs_for_a_while() -> None:
    site = Site({"genset_start_soc_cpct": 2_000, "genset_stop_soc_cpct": 4_000, "genset_min_run_ms": 60_000})
    assert not Signal.GENSET & site.serve(40_000, 500, soc_cpct=3_000).signals
    assert Signal.GENSET & site.serve(40_000, 500, soc_cpct=1_990).signals
    assert Signal.GENSET & site.serve(40_000, 5_000, soc_cpct=4_100).signals, "the minimum time"
    assert not Signal.GENSET & site.serve(40_000, 60_000).signals


def test_an_island_is_asked_for_where_the_site_has_one() -> None:
    site = Site({}, safe_grid=Safe.ISLAND)
    assert not site.out.signals & Signal.ISLAND
    site.step(3, **OFF_GRID)
    assert site.out.mode == Mode.ISLAND
    assert site.out.signals & Signal.ISLAND


def test_an_announced_change_is_answered_before_it_shows_and_taken_over_by_the_meter() -> None:
    site = Site({"ramp_up_max_w_per_s": 20, "ramp_down_max_w_per_s": 20, "dead_time_ms": 200})
    site.serve(40_000, 30_000)
    site.input.announcement[0].at_mono_ms = site.input.mono_ms + 2_000
    site.input.announcement[0].delta_w = -20_000
    assert abs(site.serve(40_000, 1_500).battery_w) < 200
    assert site.serve(40_000, 500).battery_w < -15_000
    assert site.does(Function.ANNOUNCED)
    site.grid_w.clear()
    site.serve(20_000, 1_000)
    assert not site.does(Function.ANNOUNCED)
    assert max(abs(grid_w - 40_000) for grid_w in site.grid_w[1:]) < 1_000


def test_an_announcement_that_nothing_follows_ends() -> None:
    site = Site({"ramp_up_max_w_per_s": 20, "ramp_down_max_w_per_s": 20, "dead_time_ms": 200})
    site.serve(40_000, 30_000)
    site.input.announcement[0].at_mono_ms = site.input.mono_ms + 1_000
    site.input.announcement[0].delta_w = -20_000
    assert site.serve(40_000, 1_200).battery_w < -15_000
    assert abs(site.serve(40_000, 12_000).battery_w) < 500


def test_the_governor_lets_a_fast_oscillation_pass() -> None:
    site = Site({"ramp_up_max_w_per_s": 20, "ramp_down_max_w_per_s": 20, "dead_time_ms": 200})
    rng = Random(1)
    for _ in range(200):
        site.serve(rng.choice((35_000, 45_000)), 200)
    assert site.does(Function.GOVERNED)
    assert site.out.gain_permille < 300
    assert abs(site.out.battery_w) < 4_000


def test_the_period_of_an_iteration_is_found() -> None:
    site = Site({"ramp_up_max_w_per_s": 20, "ramp_down_max_w_per_s": 20, "dead_time_ms": 200})
    for _ in range(20):
        site.serve(45_000, 1_500)
        site.serve(30_000, 500)
    assert site.out.period_ms == pytest.approx(2_000, abs=60)
    assert site.out.gain_permille > 500


def test_the_dead_time_is_measured_while_setpoints_move() -> None:
    site = Site({"ramp_up_max_w_per_s": 20, "ramp_down_max_w_per_s": 20})
    late: list[int] = [0, 0, 0]
    for number in range(600):
        load_w = 40_000 - 8_000 * (number // 10 % 3 == 0) - 4_000 * (number // 37 % 2)
        site.input.unit[0].power_w = late.pop(0)  # what was told three cycles before the sample
        site.input.poc_power_w = load_w - site.input.unit[0].power_w
        site.step()
        late.append(site.out.battery_w)
    assert site.out.dead_time_ms == pytest.approx(300, abs=40), "three cycles; meter and PCS are equally old"


def test_while_nobody_knows_how_long_the_meter_averages_only_the_slow_part_is_answered() -> None:
    """Whatever the scores say; also once the dead time was measured, which holds nothing of an average."""
    gains: dict[int, int] = {}
    for told_ms in (200, UNSURE):
        site = Site({"ramp_up_max_w_per_s": 20, "ramp_down_max_w_per_s": 20, "dead_time_ms": told_ms})
        for number in range(600):
            site.serve(40_000 - 8_000 * (number // 10 % 3 == 0), 100)
            gains[told_ms] = max(gains.get(told_ms, 0), site.out.gain_permille)
        assert site.does(Function.GOVERNED) == (told_ms < 0)
    assert gains[200] > 500 and gains[UNSURE] == 0
    assert site.out.dead_time_ms > 0, "what is told of the loop is still what was measured"
    before_w = site.out.reference_w
    site.serve(60_000, 20_000)
    assert before_w < site.out.reference_w <= before_w + 420, "the ramp limit holds"
    assert site.out.battery_w > 5_000, "and the battery carries what the grid may not yet"


def test_a_configuration_outside_its_ranges_is_refused() -> None:
    for wrong in (
        {"dead_time_ms": -2},
        {"soc_target_cpct": 10_001},
        {"ramp_up_max_w_per_s": -1},
        {"power_factor_permille": 50},
        {"peak_shave_w": 10_000, "recharge_w": 20_000},
        {"genset_start_soc_cpct": 5_000, "genset_stop_soc_cpct": 4_000},
        {"voltage_nominal_dv": 2_300},
    ):
        with pytest.raises(Exception, match="status"):
            Site(wrong)
