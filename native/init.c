/* Is this configuration one that the kernel can keep its promises with? Checked at init and again in every step, because
 * the struct belongs to the caller. */
#include "inner.h"

static bool within(int32_t value, int32_t low, int32_t high)
{
    return value >= low && value <= high;
}

static bool unit_ok(const tw_unit_config_t *unit)
{
    return within(unit->power_charge_max_w, 0, TW_POWER_LIMIT_W)
        && within(unit->power_discharge_max_w, 0, TW_POWER_LIMIT_W)
        && 0 <= unit->soc_min_cpct && unit->soc_min_cpct < unit->soc_max_cpct && unit->soc_max_cpct <= 10000
        && within(unit->soc_hysteresis_cpct, 0, 10000)
        && 0 <= unit->cell_voltage_trip_low_mv && unit->cell_voltage_trip_low_mv < unit->cell_voltage_min_mv
        && unit->cell_voltage_min_mv < unit->cell_voltage_max_mv
        && unit->cell_voltage_max_mv < unit->cell_voltage_trip_high_mv && unit->cell_voltage_trip_high_mv <= 5000
        && within(unit->cell_voltage_hysteresis_mv, 0, 1000)
        && -600 <= unit->cell_temp_min_dc && unit->cell_temp_min_dc < unit->cell_temp_max_dc
        && -600 <= unit->cell_temp_charge_min_dc && unit->cell_temp_charge_min_dc < unit->cell_temp_max_dc
        && unit->cell_temp_max_dc < unit->cell_temp_trip_dc && unit->cell_temp_trip_dc <= 1500
        && within(unit->cell_temp_hysteresis_dc, 0, 500)
        && within(unit->limit_rise_w_per_s, 1, TW_POWER_LIMIT_W)
        && 1 <= unit->bms_age_max_ms && unit->bms_age_max_ms < unit->bms_age_stop_ms
        && unit->bms_age_stop_ms < unit->bms_age_open_ms && unit->bms_age_open_ms <= 600000
        && 1 <= unit->pcs_age_max_ms && unit->pcs_age_max_ms < unit->pcs_age_stop_ms && unit->pcs_age_stop_ms <= 600000;
}

bool tw_config_ok(const tw_config_t *config)
{
    if (config->abi != TW_ABI || !within(config->unit_count, 1, TW_UNITS) || !within(config->cycle_ms, 50, 1000)
        || !within(config->import_max_w, 0, TW_POWER_LIMIT_W) || !within(config->export_max_w, 0, TW_POWER_LIMIT_W)
        || !within(config->ramp_up_max_w_per_s, 0, TW_POWER_LIMIT_W)
        || !within(config->ramp_down_max_w_per_s, 0, TW_POWER_LIMIT_W)
        || !within(config->poc_age_max_ms, 1, 600000) || !within(config->boot_settle_ms, 0, 600000)
        || !within(config->reset_hold_ms, 0, 3600000)) {
        return false;
    }
    for (int32_t i = 0; i < config->unit_count; i++) {
        if (!unit_ok(&config->unit[i])) {
            return false;
        }
    }
    return true;
}

int32_t tw_init(const tw_config_t *config, tw_state_t *state)
{
    unsigned char *bytes = (unsigned char *)state;
    for (size_t i = 0; i < sizeof *state; i++) {
        bytes[i] = 0; /* also the padding: a trace compares states byte by byte */
    }
    state->first_out_unit = -1;
    if (config->abi != TW_ABI) {
        return TW_BAD_ABI;
    }
    return tw_config_ok(config) ? TW_OK : TW_BAD_CONFIG;
}
