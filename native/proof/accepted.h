/* Which configurations tw_init accepts, written a second time from the handbook (section 12). The harnesses assume no more than this
 * of a configuration; that the kernel accepts exactly this is the proof `accepted`. */
#ifndef TW_ACCEPTED_H
#define TW_ACCEPTED_H

#include "proof.h"

static bool among(int64_t low, int64_t value, int64_t high)
{
    return low <= value && value <= high;
}

static bool watts(int32_t value_w)
{
    return among(0, value_w, TW_POWER_LIMIT_W);
}

static bool larger_power(const tw_unit_config_t *unit, int32_t value_w)
{
    return among(0, value_w, unit->power_charge_max_w) || among(0, value_w, unit->power_discharge_max_w);
}

static bool battery_accepted(const tw_unit_config_t *u)
{
    const int32_t cell_mv[] = {0, u->cell_voltage_dead_mv, u->cell_voltage_trip_low_mv, u->cell_voltage_min_mv,
                               u->cell_voltage_derate_low_mv, u->cell_voltage_derate_high_mv, u->cell_voltage_max_mv,
                               u->cell_voltage_trip_high_mv, 5001};
    const int32_t pack_dv[] = {0, u->pack_voltage_trip_low_dv, u->pack_voltage_min_dv, u->pack_voltage_max_dv,
                               u->pack_voltage_trip_high_dv, 20001};
    const int32_t charge_dc[] = {-601, u->temp_min_dc, u->temp_charge_min_dc, u->temp_charge_derate_low_dc,
                                 u->temp_charge_derate_high_dc, u->temp_charge_max_dc};
    bool rises = true;
    for (int32_t i = 1; i < 9; i++) {
        rises = rises && cell_mv[i - 1] < cell_mv[i] && (i >= 6 || pack_dv[i - 1] < pack_dv[i])
            && (i >= 6 || charge_dc[i - 1] < charge_dc[i]);
    }
    return rises && among(1, u->cell_voltage_hysteresis_mv, (int64_t)u->cell_voltage_max_mv - u->cell_voltage_min_mv)
        && u->temp_charge_max_dc <= u->temp_max_dc && u->temp_max_dc < u->temp_trip_dc && u->temp_trip_dc <= 1500
        && u->temp_min_dc < u->temp_derate_high_dc && u->temp_derate_high_dc < u->temp_max_dc
        && among(1, u->temp_hysteresis_dc, (int64_t)u->temp_charge_max_dc - u->temp_charge_min_dc)
        && among(1, u->temp_rise_max_dc_per_min, 1500);
}

static bool unit_accepted(const tw_unit_config_t *u)
{
    int64_t span_cpct = (int64_t)u->soc_max_cpct - u->soc_min_cpct;
    return watts(u->power_charge_max_w) && watts(u->power_discharge_max_w) && watts(u->reactive_max_var)
        && larger_power(u, u->power_efficient_min_w)
        && among(1, u->deviation_max_w, TW_POWER_LIMIT_W) && among(1, u->limit_rise_w_per_s, TW_POWER_LIMIT_W)
        && 0 <= u->soc_min_cpct && u->soc_min_cpct < u->soc_max_cpct && u->soc_max_cpct <= 10000
        && among(0, u->soc_reserve_cpct, u->soc_max_cpct) && among(0, u->soc_taper_cpct, span_cpct)
        && among(1, u->soc_hysteresis_cpct, span_cpct) && battery_accepted(u)
        && 1 <= u->cell_spread_warn_mv && u->cell_spread_warn_mv <= u->cell_spread_derate_mv
        && u->cell_spread_derate_mv <= u->cell_spread_trip_mv && u->cell_spread_trip_mv <= 5000
        && 1 <= u->temp_spread_warn_dc && u->temp_spread_warn_dc <= u->temp_spread_derate_dc
        && u->temp_spread_derate_dc <= u->temp_spread_trip_dc && u->temp_spread_trip_dc <= 2100
        && 1 <= u->insulation_trip_kohm && u->insulation_trip_kohm <= u->insulation_warn_kohm
        && u->insulation_warn_kohm <= 1000000
        && 1 <= u->bms_age_max_ms && u->bms_age_max_ms < u->bms_age_stop_ms && u->bms_age_stop_ms < u->bms_age_open_ms
        && u->bms_age_open_ms <= 600000 && 1 <= u->pcs_age_max_ms && u->pcs_age_max_ms < u->pcs_age_stop_ms
        && u->pcs_age_stop_ms < u->pcs_age_open_ms && u->pcs_age_open_ms <= 600000 && among(1, u->heartbeat_max_ms, 600000);
}

static bool watch_accepted(int32_t low, int32_t high)
{
    return (low == 0 && high == 0) || (0 < low && low < high && high <= 1000000);
}

static bool site_accepted(const tw_config_t *c)
{
    bool times = among(50, c->cycle_ms, 1000) && 1 <= c->poc_age_fade_ms && c->poc_age_fade_ms <= c->poc_age_max_ms
        && c->poc_age_max_ms <= 600000 && among(1, c->io_age_max_ms, 600000) && among(1, c->boot_settle_ms, 600000)
        && among(1, c->connect_max_ms, 600000) && among(1, c->start_max_ms, 600000) && among(1, c->stop_max_ms, 600000)
        && among(1, c->grid_return_ms, 3600000) && among(1, c->reset_hold_ms, 3600000) && among(1, c->cooldown_ms, 3600000);
    bool words = (c->safe_poc == TW_SAFE_ZERO || c->safe_poc == TW_SAFE_HOLD)
        && (c->safe_grid == TW_SAFE_ZERO || c->safe_grid == TW_SAFE_HOLD || c->safe_grid == TW_SAFE_ISLAND)
        && (c->safe_door == TW_SAFE_WARN || c->safe_door == TW_SAFE_ZERO || c->safe_door == TW_SAFE_HOLD);
    return c->abi == TW_ABI && among(1, c->unit_count, TW_UNITS) && times && words && among(0, c->io_required, 1)
        && watts(c->import_max_w) && watts(c->fuse_max_w) && watts(c->export_max_w)
        && among(20, c->setpoint_ramp_w_per_s, TW_POWER_LIMIT_W) && watts(c->pv_rated_w) && watts(c->pv_lost_max_w)
        && watch_accepted(c->voltage_min_dv, c->voltage_max_dv)
        && watch_accepted(c->frequency_min_mhz, c->frequency_max_mhz);
}

static bool wish_accepted(const tw_config_t *c)
{
    const tw_wish_config_t *w = &c->wish;
    bool curve = true;
    for (int32_t i = 0; i < 4; i++) {
        curve = curve && among(-1000, w->var_permille[i], 1000) && among(0, w->var_voltage_permille[i], 2000)
            && (i == 0 || w->voltage_nominal_dv == 0 || w->var_voltage_permille[i - 1] < w->var_voltage_permille[i]);
    }
    int64_t factor = w->power_factor_permille < 0 ? -(int64_t)w->power_factor_permille : w->power_factor_permille;
    return curve && watts(w->ramp_up_max_w_per_s) && watts(w->ramp_down_max_w_per_s) && among(-1, w->dead_time_ms, 5000)
        && among(0, w->soc_target_cpct, 10000) && among(0, w->soc_band_cpct, 10000) && among(0, w->self_consumption, 1)
        && among(-TW_POWER_LIMIT_W, w->grid_target_w, TW_POWER_LIMIT_W) && watts(w->peak_shave_w) && watts(w->recharge_w)
        && watts(w->demand_max_w) && (w->peak_shave_w == 0 || w->recharge_w <= w->peak_shave_w)
        && among(0, w->frequency_nominal_mhz, 100000) && among(0, w->droop_deadband_mhz, 100000)
        && watts(w->droop_w_per_hz) && watts(w->droop_max_w) && (factor == 0 || among(100, factor, 1000))
        && among(0, w->voltage_nominal_dv, 1000000) && watts(w->calibrate_w) && among(0, w->calibrate_hold_ms, 86400000)
        && among(0, w->genset_start_soc_cpct, 10000) && among(0, w->genset_stop_soc_cpct, 10000)
        && among(0, w->genset_min_run_ms, 86400000)
        && (w->genset_start_soc_cpct == 0 || w->genset_start_soc_cpct < w->genset_stop_soc_cpct);
}

static bool units_accepted(const tw_config_t *c)
{
    bool all = true;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        all = all && (i >= c->unit_count || unit_accepted(&c->unit[i]));
    }
    return all;
}

static bool config_accepted(const tw_config_t *c)
{
    return site_accepted(c) && wish_accepted(c) && units_accepted(c);
}

/* Every function here is used by some harness; this keeps the others quiet. */
static inline void accepted_used(void)
{
    (void)config_accepted;
}

#endif
