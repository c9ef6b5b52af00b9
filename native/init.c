/* Is this configuration one that the kernel can keep its promises with? Checked at init, and in a step whenever it is another
 * than the one last accepted, because the struct belongs to the caller. Nothing is switched off by a 0 but what the ABI says is not watched. */
#include "door.h"
#include "inner.h"

#define AGE_LIMIT_MS 600000
#define PAUSE_LIMIT_MS 3600000
#define CYCLES_UNCHECKED 64 /* 6 s of 100 ms cycles */
#define LANES 4
#define RAMP_MIN_W_PER_S 20 /* 1 W in the shortest cycle: less would stand still */

/* Words of the configuration, wherever they stand: a vector of gcc and clang, for the sum of all. */
typedef uint32_t row_t __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef struct {
    row_t plain, placed;
} sums_t;
_Static_assert(offsetof(tw_config_t, unit) % sizeof(row_t) == 0 && sizeof(tw_unit_config_t) % sizeof(row_t) == 0, "whole rows");

static bool within(int32_t value, int32_t low, int32_t high)
{
    return value >= low && value <= high;
}

static bool power(int32_t value_w)
{
    return within(value_w, 0, TW_POWER_LIMIT_W);
}

static bool unit_power_ok(const tw_unit_config_t *unit)
{
    return power(unit->power_charge_max_w) && power(unit->power_discharge_max_w) && power(unit->reactive_max_var)
        && within(unit->power_efficient_min_w, 0, tw_most(unit->power_charge_max_w, unit->power_discharge_max_w))
        && within(unit->deviation_max_w, 1, TW_POWER_LIMIT_W)
        && within(unit->limit_rise_w_per_s, 1, TW_POWER_LIMIT_W);
}

static bool unit_soc_ok(const tw_unit_config_t *unit)
{
    return 0 <= unit->soc_min_cpct && unit->soc_min_cpct < unit->soc_max_cpct && unit->soc_max_cpct <= 10000
        && within(unit->soc_reserve_cpct, 0, unit->soc_max_cpct)
        && within(unit->soc_taper_cpct, 0, unit->soc_max_cpct - unit->soc_min_cpct)
        && within(unit->soc_hysteresis_cpct, 1, unit->soc_max_cpct - unit->soc_min_cpct);
}

static bool unit_voltage_ok(const tw_unit_config_t *unit)
{
    return 0 < unit->cell_voltage_dead_mv && unit->cell_voltage_dead_mv < unit->cell_voltage_trip_low_mv
        && unit->cell_voltage_trip_low_mv < unit->cell_voltage_min_mv
        && unit->cell_voltage_min_mv < unit->cell_voltage_derate_low_mv
        && unit->cell_voltage_derate_low_mv < unit->cell_voltage_derate_high_mv
        && unit->cell_voltage_derate_high_mv < unit->cell_voltage_max_mv
        && unit->cell_voltage_max_mv < unit->cell_voltage_trip_high_mv && unit->cell_voltage_trip_high_mv <= 5000
        && within(unit->cell_voltage_hysteresis_mv, 1, unit->cell_voltage_max_mv - unit->cell_voltage_min_mv)
        && 0 < unit->pack_voltage_trip_low_dv && unit->pack_voltage_trip_low_dv < unit->pack_voltage_min_dv
        && unit->pack_voltage_min_dv < unit->pack_voltage_max_dv
        && unit->pack_voltage_max_dv < unit->pack_voltage_trip_high_dv && unit->pack_voltage_trip_high_dv <= 20000;
}

static bool unit_temp_ok(const tw_unit_config_t *unit)
{
    return -600 <= unit->temp_min_dc && unit->temp_min_dc < unit->temp_charge_min_dc
        && unit->temp_charge_min_dc < unit->temp_charge_derate_low_dc
        && unit->temp_charge_derate_low_dc < unit->temp_charge_derate_high_dc
        && unit->temp_charge_derate_high_dc < unit->temp_charge_max_dc && unit->temp_charge_max_dc <= unit->temp_max_dc
        && unit->temp_min_dc < unit->temp_derate_high_dc && unit->temp_derate_high_dc < unit->temp_max_dc
        && unit->temp_max_dc < unit->temp_trip_dc && unit->temp_trip_dc <= 1500
        && within(unit->temp_hysteresis_dc, 1, unit->temp_charge_max_dc - unit->temp_charge_min_dc)
        && within(unit->temp_rise_max_dc_per_min, 1, 1500);
}

static bool unit_spread_ok(const tw_unit_config_t *unit)
{
    return 1 <= unit->cell_spread_warn_mv && unit->cell_spread_warn_mv <= unit->cell_spread_derate_mv
        && unit->cell_spread_derate_mv <= unit->cell_spread_trip_mv && unit->cell_spread_trip_mv <= 5000
        && 1 <= unit->temp_spread_warn_dc && unit->temp_spread_warn_dc <= unit->temp_spread_derate_dc
        && unit->temp_spread_derate_dc <= unit->temp_spread_trip_dc && unit->temp_spread_trip_dc <= 2100
        && 1 <= unit->insulation_trip_kohm && unit->insulation_trip_kohm <= unit->insulation_warn_kohm
        && unit->insulation_warn_kohm <= 1000000;
}

static bool unit_ages_ok(const tw_unit_config_t *unit)
{
    return 1 <= unit->bms_age_max_ms && unit->bms_age_max_ms < unit->bms_age_stop_ms
        && unit->bms_age_stop_ms < unit->bms_age_open_ms && unit->bms_age_open_ms <= AGE_LIMIT_MS
        && 1 <= unit->pcs_age_max_ms && unit->pcs_age_max_ms < unit->pcs_age_stop_ms
        && unit->pcs_age_stop_ms < unit->pcs_age_open_ms && unit->pcs_age_open_ms <= AGE_LIMIT_MS
        && within(unit->heartbeat_max_ms, 1, AGE_LIMIT_MS);
}

static bool units_ok(const tw_config_t *config)
{
    for (int32_t i = 0; i < config->unit_count; i++) {
        const tw_unit_config_t *unit = &config->unit[i];
        if (!(unit_power_ok(unit) && unit_soc_ok(unit) && unit_voltage_ok(unit) && unit_temp_ok(unit)
              && unit_spread_ok(unit) && unit_ages_ok(unit))) {
            return false;
        }
    }
    return true;
}

/* Both 0: not watched. */
static bool watched_ok(int32_t low, int32_t high)
{
    return (low == 0 && high == 0) || (0 < low && low < high && high <= 1000000);
}

static bool site_ok(const tw_config_t *config)
{
    return within(config->cycle_ms, 50, 1000)
        && power(config->import_max_w) && power(config->fuse_max_w) && power(config->export_max_w)
        && within(config->setpoint_ramp_w_per_s, RAMP_MIN_W_PER_S, TW_POWER_LIMIT_W)
        && power(config->pv_rated_w) && power(config->pv_lost_max_w)
        && 1 <= config->poc_age_fade_ms && config->poc_age_fade_ms <= config->poc_age_max_ms
        && config->poc_age_max_ms <= AGE_LIMIT_MS
        && watched_ok(config->voltage_min_dv, config->voltage_max_dv)
        && watched_ok(config->frequency_min_mhz, config->frequency_max_mhz)
        && within(config->io_required, 0, 1) && within(config->io_age_max_ms, 1, AGE_LIMIT_MS);
}

static bool times_ok(const tw_config_t *config)
{
    return within(config->grid_return_ms, 1, PAUSE_LIMIT_MS) && within(config->boot_settle_ms, 1, AGE_LIMIT_MS)
        && within(config->reset_hold_ms, 1, PAUSE_LIMIT_MS) && within(config->connect_max_ms, 1, AGE_LIMIT_MS)
        && within(config->start_max_ms, 1, AGE_LIMIT_MS) && within(config->stop_max_ms, 1, AGE_LIMIT_MS)
        && within(config->cooldown_ms, 1, PAUSE_LIMIT_MS);
}

static bool words_ok(const tw_config_t *config)
{
    return (config->safe_poc == TW_SAFE_ZERO || config->safe_poc == TW_SAFE_HOLD)
        && (config->safe_grid == TW_SAFE_ZERO || config->safe_grid == TW_SAFE_HOLD || config->safe_grid == TW_SAFE_ISLAND)
        && (config->safe_door == TW_SAFE_WARN || config->safe_door == TW_SAFE_ZERO || config->safe_door == TW_SAFE_HOLD);
}

bool tw_config_ok(const tw_config_t *config)
{
    return config->abi == TW_ABI && within(config->unit_count, 1, TW_UNITS) && site_ok(config) && times_ok(config)
        && words_ok(config) && units_ok(config) && tw_wish_config_ok(config);
}

static inline sums_t add_rows(sums_t sums, const void *at, size_t size)
{
    const row_t *rows = at;
    for (size_t i = 0; i < size / sizeof(row_t); i++) {
        sums.plain += rows[i];
        sums.placed += sums.plain;
    }
    return sums;
}

/* In its lane a word counts by its row, an odd number of times, and each lane counts otherwise: one number that changes changes the
 * sum, and so do two thresholds that change places, or a step from one to another. Lanes, because a processor adds a row of
 * them at once, or at worst one after the other. */
static uint32_t config_sum(const tw_config_t *config)
{
    sums_t sums = add_rows((sums_t){{0}, {0}}, config, offsetof(tw_config_t, unit));
    for (int32_t i = 0; i < config->unit_count; i++) {
        sums = add_rows(sums, &config->unit[i], sizeof config->unit[i]);
    }
    uint32_t sum = 2166136261U; /* not the 0 of a state that nobody wrote */
    for (int32_t lane = 0; lane < LANES; lane++) {
        sum = sum * 16777619U + 2U * sums.placed[lane] + sums.plain[lane];
    }
    return sum;
}

/* Two configurations may have one sum: so every now and then it is checked in full anyway. */
bool tw_config_still_ok(const tw_config_t *config, tw_state_t *state)
{
    if (!within(config->unit_count, 1, TW_UNITS)) {
        return false;
    }
    uint32_t sum = config_sum(config);
    if (sum == state->config_sum && state->cycle_count % CYCLES_UNCHECKED != 0U) {
        return true;
    }
    if (!tw_config_ok(config)) {
        return false;
    }
    state->config_sum = sum;
    return true;
}

static void begin_unit(tw_unit_state_t *unit)
{
    for (int32_t i = 0; i < TW_HOURLY; i++) {
        unit->recent_ms[i][0] = TW_AGE_NEVER;
        unit->recent_ms[i][1] = TW_AGE_NEVER;
    }
    unit->temp_then_ms = -1; /* not taken yet */
}

int32_t tw_init(const tw_config_t *config, tw_state_t *state)
{
    unsigned char *bytes = (unsigned char *)state;
    for (size_t i = 0; i < sizeof *state; i++) {
        bytes[i] = 0; /* also what no field covers: a trace compares states byte by byte */
    }
    state->first_out = -1;
    state->first_out_unit = -1;
    state->overrun_recent_ms[0] = TW_AGE_NEVER;
    state->overrun_recent_ms[1] = TW_AGE_NEVER;
    state->grid_good_ms = TW_AGE_NEVER;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        begin_unit(&state->unit[i]);
    }
    if (config->abi != TW_ABI) {
        return TW_BAD_ABI;
    }
    if (!tw_config_ok(config)) {
        return TW_BAD_CONFIG;
    }
    state->pv_limit_w = config->pv_rated_w;
    state->config_sum = config_sum(config);
    return TW_OK;
}
