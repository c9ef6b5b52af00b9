"""Carbon at the bus: the published vector to the integer, and exact conservation under anything."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.carbon.flow import UNKNOWN_MG_PER_KWH, FlowTotals, SiteFlow, choose_booking
from edge.carbon.pool import UJ_PER_WH, PoolState, StoredPool
from edge.model import SiteFlows

HOUR_MS = 3_600_000


def flows(
    poc_w: int | None, pv_w: int | None, battery_w: int | None, load_w: int | None = None, soc_cpct: int | None = None
) -> SiteFlows:
    return SiteFlows(
        mono_ms=0,
        wall_ms=0,
        poc_power_w=poc_w,
        load_power_w=load_w,
        pv_power_w=pv_w,
        battery_power_w=battery_w,
        soc_cpct=soc_cpct,
        battery_set_w=0,
        mode=2,
        why=0,
        wish_w=0,
        reference_w=0,
        cell_voltage_min_mv=None,
        cell_voltage_max_mv=None,
        cell_temp_max_dc=None,
        late_max_us=0,
        late_count=0,
    )


def assert_balanced(totals: FlowTotals) -> None:
    assert totals.opening_ug + totals.grid_ug == totals.load_ug + totals.export_ug + totals.loss_ug + totals.stored_ug


def test_the_vector_of_the_method_holds_to_the_integer() -> None:
    site = SiteFlow(StoredPool(1_000_000), step_max_ms=HOUR_MS)
    one = site.step(flows(1_000_000, 400_000, -200_000, 1_200_000), HOUR_MS, 350_000)
    assert one.site_intensity_mg_per_kwh == 250_000
    assert site.pool.freeze_state() == PoolState(190_000 * UJ_PER_WH, 50_000_000_000)
    assert one.load_ug == 300_000_000_000
    assert one.battery_intensity_mg_per_kwh == 277_008
    two = site.step(flows(1_100_000, 0, 152_000, 1_252_000), HOUR_MS, 450_000)
    assert two.discharge_ug == 42_105_263_157  # 42 105.263 g, rounded down: the fraction stays in the pool
    assert site.pool.freeze_state() == PoolState(30_000 * UJ_PER_WH, 7_894_736_843)
    assert two.site_intensity_mg_per_kwh == 428_997  # 428.998 g cut, not rounded
    assert two.load_ug == 537_105_263_157
    assert site.totals().grid_ug == 845_000_000_000
    assert_balanced(site.totals())


POWER = st.one_of(st.none(), st.integers(-100_000_000, 100_000_000))
STEPS = st.lists(
    st.tuples(
        POWER,
        POWER,
        POWER,
        POWER,
        st.one_of(st.none(), st.integers(0, 10_000)),
        st.integers(-10, 20_000),
        st.one_of(st.none(), st.integers(0, 5_000_000)),
        st.sampled_from(["measured", "stale", "none"]),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, capacity_wh=st.integers(1, 10_000_000), eta=st.integers(1, 1000), opened=st.booleans())
def test_carbon_balances_to_the_last_microgram_whatever_comes(
    steps: list[tuple[int | None, int | None, int | None, int | None, int | None, int, int | None, str]],
    capacity_wh: int,
    eta: int,
    opened: bool,
) -> None:
    pool = StoredPool(capacity_wh, eta_charge_permille=eta, eta_discharge_permille=eta)
    site = SiteFlow(pool, opened=opened)
    for poc_w, pv_w, battery_w, load_w, soc_cpct, step_ms, intensity, quality in steps:
        before_ug = site.totals().stored_ug
        opening_ug = site.totals().opening_ug
        done = site.step(flows(poc_w, pv_w, battery_w, load_w, soc_cpct), step_ms, intensity, quality)
        opened_ug = site.totals().opening_ug - opening_ug
        assert min(done.load_ug, done.export_ug, done.loss_ug, done.charge_ug, done.discharge_ug) >= 0
        assert done.grid_ug + done.discharge_ug == done.load_ug + done.export_ug + done.charge_ug
        stored_ug = before_ug + opened_ug + done.charge_ug - done.discharge_ug - done.loss_ug
        assert stored_ug == site.totals().stored_ug >= 0
        assert_balanced(site.totals())
        if intensity is None or quality == "none":
            assert done.site_intensity_mg_per_kwh is None
            assert done.quality in {"default", "none"}
        if done.quality == "measured":
            assert None not in (poc_w, pv_w, battery_w) and quality == "measured"


def test_a_day_of_random_seconds_balances_and_loses_no_fraction_of_the_grid() -> None:
    rng = random.Random(20260701)
    site = SiteFlow(StoredPool(200_000))
    exact = 0
    for _ in range(20_000):
        poc_w, pv_w, battery_w = rng.randrange(-50_000, 200_000), rng.randrange(100_000), rng.randrange(-90_000, 90_000)
        intensity = rng.randrange(900_000)
        site.step(flows(poc_w, pv_w, battery_w), 1_000, intensity)
        exact += max(0, poc_w) * 1_000 * intensity
    assert site.totals().grid_ug == exact // 3_600_000
    assert_balanced(site.totals())


def test_unknown_intensity_is_booked_high_and_never_shown() -> None:
    site = SiteFlow(StoredPool(1_000))
    done = site.step(flows(3_600, 0, 0), 1_000, None)
    assert (done.grid_mg_per_kwh, done.quality) == (UNKNOWN_MG_PER_KWH, "default")
    assert done.site_intensity_mg_per_kwh is None
    assert done.load_ug == 700_000  # 1 Wh at 700 g/kWh


def test_stale_is_booked_at_no_less_than_the_annual_average() -> None:
    assert choose_booking(100_000, "stale") == (367_000, "stale")
    assert choose_booking(500_000, "stale") == (500_000, "stale")
    assert choose_booking(500_000, "none") == (UNKNOWN_MG_PER_KWH, "default")


def test_a_missing_meter_makes_the_interval_estimated_and_two_make_it_unaccounted() -> None:
    site = SiteFlow(StoredPool(1_000))
    done = site.step(flows(None, 400, 100, 1_500), 1_000, 300_000)
    assert (done.import_mj, done.quality) == (1_000_000, "estimated")
    assert site.step(flows(None, 400, 100, None), 1_000, 300_000).quality == "none"
    assert site.totals().unaccounted_ms == 1_000


def test_meters_that_contradict_each_other_still_balance_and_say_so() -> None:
    site = SiteFlow(StoredPool(1_000))
    done = site.step(flows(100, 0, -300), 1_000, 300_000)
    assert (done.load_mj, done.charge_ug, done.quality) == (0, done.grid_ug, "estimated")


def test_a_true_up_moves_energy_only_and_an_empty_pack_expenses_its_rest() -> None:
    pool = StoredPool(1_000, PoolState(500 * UJ_PER_WH, 1_000_000))
    site = SiteFlow(pool)
    assert site.step(flows(0, 0, 0, soc_cpct=5_100), 1_000, 300_000).true_up_uj == 0  # within the SOC's resolution
    assert site.step(flows(0, 0, 0, soc_cpct=6_000), 1_000, 300_000).true_up_uj == 100 * UJ_PER_WH
    assert pool.carbon_ug == 1_000_000
    done = site.step(flows(0, 0, 0, soc_cpct=50), 1_000, 300_000)
    assert (done.loss_ug, pool.carbon_ug) == (1_000_000, 0)
    assert_balanced(site.totals())


def test_charging_an_empty_pack_expenses_nothing() -> None:
    site = SiteFlow(StoredPool(1_000_000))
    done = site.step(flows(3_600, 0, -3_600), 1_000, 400_000)
    assert (done.loss_ug, done.stored_carbon_mg) == (0, 400)


def test_a_pack_of_unknown_past_opens_at_the_unknown_factor() -> None:
    site = SiteFlow(StoredPool(1_000), opened=False)
    site.step(flows(0, 0, 0), 1_000, 300_000)
    assert site.totals().opening_ug == 0
    site.step(flows(0, 0, 0, soc_cpct=5_000), 1_000, 300_000)
    assert site.totals().opening_ug == 350_000_000  # 0.5 kWh at 700 g
    assert_balanced(site.totals())
