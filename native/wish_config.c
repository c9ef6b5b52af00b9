/* The clever half's part of the configuration: every number inside the range that its arithmetic needs, and no pair that
 * contradicts itself. */
#include "wish.h"

#define DEAD_TIME_MAX_MS 5000
#define HOLD_MAX_MS 86400000

static bool inside(int32_t value, int32_t low, int32_t high)
{
    return value >= low && value <= high;
}

static bool power(int32_t value_w)
{
    return inside(value_w, 0, TW_POWER_LIMIT_W);
}

static bool energy_ok(const tw_wish_config_t *wish)
{
    return inside(wish->soc_target_cpct, 0, 10000) && inside(wish->soc_band_cpct, 0, 10000) &&
           inside(wish->self_consumption, 0, 1) && inside(wish->grid_target_w, -TW_POWER_LIMIT_W, TW_POWER_LIMIT_W) &&
           power(wish->peak_shave_w) && power(wish->recharge_w) && power(wish->demand_max_w) &&
           (wish->peak_shave_w == 0 || wish->recharge_w <= wish->peak_shave_w) && power(wish->calibrate_w) &&
           inside(wish->calibrate_hold_ms, 0, HOLD_MAX_MS) && inside(wish->genset_start_soc_cpct, 0, 10000) &&
           inside(wish->genset_stop_soc_cpct, 0, 10000) && inside(wish->genset_min_run_ms, 0, HOLD_MAX_MS) &&
           (wish->genset_start_soc_cpct == 0 || wish->genset_start_soc_cpct < wish->genset_stop_soc_cpct);
}

static bool grid_ok(const tw_wish_config_t *wish)
{
    bool rises = true;
    for (int32_t i = 0; i < 4; i++) {
        rises = rises && inside(wish->var_permille[i], -1000, 1000) && inside(wish->var_voltage_permille[i], 0, 2000) &&
                (i == 0 || wish->voltage_nominal_dv == 0 ||
                 wish->var_voltage_permille[i] > wish->var_voltage_permille[i - 1]);
    }
    return rises && inside(wish->frequency_nominal_mhz, 0, 100000) && inside(wish->droop_deadband_mhz, 0, 100000) &&
           power(wish->droop_w_per_hz) && power(wish->droop_max_w) && inside(wish->voltage_nominal_dv, 0, 1000000) &&
           inside(wish->power_factor_permille, -1000, 1000) &&
           (wish->power_factor_permille == 0 || !inside(wish->power_factor_permille, -99, 99));
}

bool tw_wish_config_ok(const tw_config_t *config)
{
    const tw_wish_config_t *wish = &config->wish;
    return power(wish->ramp_up_max_w_per_s) && power(wish->ramp_down_max_w_per_s) &&
           inside(wish->dead_time_ms, TW_METER_UNSURE, DEAD_TIME_MAX_MS) && energy_ok(wish) && grid_ok(wish);
}
