/* What is wrong with one unit right now. Each rule sets one bit; nothing here decides power. Missing or implausible values
 * set VALUE_MISSING, which forbids; a stale device's other values are not looked at. Thresholds come from the
 * configuration; hysteresis bits live in state->active. */
#include "inner.h"

static uint32_t age_causes(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input)
{
    uint32_t why = 0;
    if (input->bms_age_ms >= 0 && input->bms_age_ms != TW_AGE_NEVER) {
        state->active |= TW_ACTIVE_BMS_SEEN;
    }
    if (input->pcs_age_ms >= 0 && input->pcs_age_ms != TW_AGE_NEVER) {
        state->active |= TW_ACTIVE_PCS_SEEN;
    }
    if (tw_older(input->bms_age_ms, config->bms_age_max_ms)) {
        why |= TW_UNIT_BMS_STALE;
        /* The ladder counts from the last answer; a device that never answered is only not ready. */
        if (input->bms_age_ms > config->bms_age_stop_ms && (state->active & TW_ACTIVE_BMS_SEEN)) {
            why |= TW_UNIT_BMS_LOST;
            why |= input->bms_age_ms > config->bms_age_open_ms ? (uint32_t)TW_UNIT_BMS_GONE : 0U;
        }
    }
    if (tw_older(input->pcs_age_ms, config->pcs_age_max_ms)) {
        why |= TW_UNIT_PCS_STALE;
        if (input->pcs_age_ms > config->pcs_age_stop_ms && (state->active & TW_ACTIVE_PCS_SEEN)) {
            why |= TW_UNIT_PCS_LOST;
        }
    }
    return why;
}

static uint32_t pcs_causes(uint32_t flags)
{
    uint32_t why = 0;
    why |= (flags & TW_PCS_FAULT) ? (uint32_t)TW_UNIT_PCS_FAULT : 0U;
    why |= (flags & TW_PCS_LOCAL) ? (uint32_t)TW_UNIT_PCS_LOCAL : 0U;
    why |= (flags & TW_PCS_RUNNING) ? 0U : (uint32_t)TW_UNIT_PCS_STOPPED;
    why |= (flags & TW_PCS_GUARDED) ? 0U : (uint32_t)TW_UNIT_UNGUARDED;
    why |= (flags & TW_PCS_WRITE_FAILED) ? (uint32_t)TW_UNIT_WRITE_FAILED : 0U;
    return why;
}

static uint32_t bms_causes(uint32_t flags)
{
    uint32_t why = 0;
    why |= (flags & TW_BMS_CONNECTED) ? 0U : (uint32_t)TW_UNIT_BMS_OPEN;
    why |= (flags & TW_BMS_ALARM) ? (uint32_t)TW_UNIT_BMS_ALARM : 0U;
    why |= (flags & TW_BMS_TRIP) ? (uint32_t)TW_UNIT_BMS_TRIP : 0U;
    why |= (flags & TW_BMS_CHARGE_FORBIDDEN) ? (uint32_t)TW_UNIT_CHARGE_FORBIDDEN : 0U;
    why |= (flags & TW_BMS_DISCHARGE_FORBIDDEN) ? (uint32_t)TW_UNIT_DISCHARGE_FORBIDDEN : 0U;
    why |= (flags & TW_BMS_GUARDED) ? 0U : (uint32_t)TW_UNIT_UNGUARDED;
    return why;
}

static bool plausible(const tw_unit_input_t *input)
{
    return input->soc_cpct >= 0 && input->soc_cpct <= 10000
        && input->pack_voltage_dv > 0 && input->pack_voltage_dv <= 20000
        && input->current_charge_max_da >= 0 && input->current_charge_max_da <= 100000
        && input->current_discharge_max_da >= 0 && input->current_discharge_max_da <= 100000
        && input->cell_voltage_min_mv >= 0 && input->cell_voltage_min_mv <= input->cell_voltage_max_mv
        && input->cell_voltage_max_mv <= 5000
        && input->cell_temp_min_dc >= -600 && input->cell_temp_min_dc <= input->cell_temp_max_dc
        && input->cell_temp_max_dc <= 1500;
}

/* Set at or past the limit, cleared only once it is back by the hysteresis. */
static void hold_high(uint32_t *active, uint32_t bit, int32_t value, int32_t limit, int32_t hysteresis)
{
    if (value >= limit) {
        *active |= bit;
    } else if (value <= limit - hysteresis) {
        *active &= ~bit;
    }
}

static void hold_low(uint32_t *active, uint32_t bit, int32_t value, int32_t limit, int32_t hysteresis)
{
    if (value <= limit) {
        *active |= bit;
    } else if (value >= limit + hysteresis) {
        *active &= ~bit;
    }
}

static uint32_t cell_causes(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input)
{
    uint32_t *active = &state->active;
    hold_low(active, TW_UNIT_SOC_LOW, input->soc_cpct, config->soc_min_cpct, config->soc_hysteresis_cpct);
    hold_high(active, TW_UNIT_SOC_HIGH, input->soc_cpct, config->soc_max_cpct, config->soc_hysteresis_cpct);
    hold_low(active, TW_UNIT_CELL_VOLTAGE_LOW, input->cell_voltage_min_mv, config->cell_voltage_min_mv,
             config->cell_voltage_hysteresis_mv);
    hold_high(active, TW_UNIT_CELL_VOLTAGE_HIGH, input->cell_voltage_max_mv, config->cell_voltage_max_mv,
              config->cell_voltage_hysteresis_mv);
    hold_low(active, TW_UNIT_CELL_TEMP_LOW, input->cell_temp_min_dc, config->cell_temp_charge_min_dc,
             config->cell_temp_hysteresis_dc);
    hold_low(active, TW_ACTIVE_COLD, input->cell_temp_min_dc, config->cell_temp_min_dc,
             config->cell_temp_hysteresis_dc);
    hold_high(active, TW_UNIT_CELL_TEMP_HIGH, input->cell_temp_max_dc, config->cell_temp_max_dc,
              config->cell_temp_hysteresis_dc);
    uint32_t why = *active & TW_UNIT_HELD;
    why |= (*active & TW_ACTIVE_COLD) ? (uint32_t)TW_UNIT_CELL_TEMP_LOW : 0U; /* no stop without a reason */
    if (input->cell_voltage_min_mv <= config->cell_voltage_trip_low_mv
        || input->cell_voltage_max_mv >= config->cell_voltage_trip_high_mv) {
        why |= TW_UNIT_CELL_VOLTAGE_TRIP;
    }
    if (input->cell_temp_max_dc >= config->cell_temp_trip_dc) {
        why |= TW_UNIT_CELL_TEMP_TRIP;
    }
    return why;
}

uint32_t tw_unit_causes(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input)
{
    state->active &= TW_UNIT_HELD | TW_ACTIVE_COLD | TW_ACTIVE_BMS_SEEN | TW_ACTIVE_PCS_SEEN;
    uint32_t why = age_causes(config, state, input);
    if (!(why & TW_UNIT_PCS_STALE)) {
        why |= pcs_causes(input->pcs_flags);
    }
    if (!(why & TW_UNIT_BMS_STALE)) {
        why |= bms_causes(input->bms_flags);
        why |= plausible(input) ? cell_causes(config, state, input) : (uint32_t)TW_UNIT_VALUE_MISSING;
    }
    return why;
}
