/* How much one unit may charge and discharge in this cycle: a chain of bounds from the rating down, none ever above the one before,
 * each reported. Falls at once, rises slowly. */
#include "inner.h"

/* Between full and zero, a straight line; rising is the distance from zero towards full. Never above w. */
static int32_t slope(int32_t w, int32_t rising, int32_t span)
{
    if (rising <= 0) {
        return 0;
    }
    return rising >= span ? w : tw_clamp(tw_part(w, rising, span), 0, w);
}

/* w below full, as nearly always; 0 at zero, which is never below full (init.c). */
static int32_t taper_high(int32_t w, int32_t value, int32_t full, int32_t zero)
{
    return value < full ? w : slope(w, zero - value, zero - full);
}

static int32_t taper_low(int32_t w, int32_t value, int32_t full, int32_t zero)
{
    return value > full ? w : slope(w, value - zero, full - zero);
}

/* da * dv is watts times 100. */
static int32_t allowed_by_bms(int32_t w, int32_t current_da, int32_t voltage_dv)
{
    int64_t allowed_cw = (int64_t)current_da * voltage_dv;
    return allowed_cw >= (int64_t)w * 100 ? w : tw_clamp(tw_part(allowed_cw, 1, 100), 0, w);
}

/* From BMS_CURRENT to SOC; the values are plausible. */
static int32_t charge_chain(const tw_unit_config_t *config, const tw_unit_input_t *input, uint32_t commands, int32_t *after)
{
    int32_t top_cpct = tw_soc_top(config, commands);
    int32_t w = allowed_by_bms(after[TW_BOUND_RATING], input->current_charge_max_da, input->pack_voltage_dv);
    after[TW_BOUND_BMS_CURRENT] = w;
    w = taper_high(w, input->cell_voltage_max_mv, config->cell_voltage_derate_high_mv, config->cell_voltage_max_mv);
    after[TW_BOUND_CELL_VOLTAGE] = w;
    w = taper_low(w, input->cell_temp_min_dc, config->temp_charge_derate_low_dc, config->temp_charge_min_dc);
    w = taper_high(w, input->cell_temp_max_dc, config->temp_charge_derate_high_dc, config->temp_charge_max_dc);
    after[TW_BOUND_TEMP] = w;
    w = taper_high(w, input->soc_cpct, top_cpct - config->soc_taper_cpct, top_cpct);
    after[TW_BOUND_SOC] = w;
    return w;
}

static int32_t discharge_chain(const tw_unit_config_t *config, const tw_unit_input_t *input, bool island, int32_t *after)
{
    int32_t reserve_cpct = island ? 0 : config->soc_reserve_cpct; /* an island is what the reserve is for */
    int32_t floor_cpct = tw_most(config->soc_min_cpct, reserve_cpct);
    int32_t w = allowed_by_bms(after[TW_BOUND_RATING], input->current_discharge_max_da, input->pack_voltage_dv);
    after[TW_BOUND_BMS_CURRENT] = w;
    w = taper_low(w, input->cell_voltage_min_mv, config->cell_voltage_derate_low_mv, config->cell_voltage_min_mv);
    after[TW_BOUND_CELL_VOLTAGE] = w;
    w = taper_high(w, input->cell_temp_max_dc, config->temp_derate_high_dc, config->temp_max_dc);
    after[TW_BOUND_TEMP] = w;
    w = taper_low(w, input->soc_cpct, floor_cpct + config->soc_taper_cpct, floor_cpct);
    after[TW_BOUND_SOC] = w;
    return w;
}

static int32_t no_chain(int32_t *after)
{
    for (int32_t i = TW_BOUND_BMS_CURRENT; i <= TW_BOUND_SOC; i++) {
        after[i] = 0;
    }
    return 0;
}

/* W/s times ms is milliwatts, so no remainder is lost. */
static int32_t rise(int64_t *limit_mw, int32_t w, int32_t rise_w_per_s, int32_t dt_ms)
{
    int64_t now_mw = (int64_t)w * 1000;
    if (*limit_mw == now_mw) {
        return w; /* as nearly always: it has risen */
    }
    const int64_t most_mw = (int64_t)TW_POWER_LIMIT_W * 1000;
    int64_t from_mw = *limit_mw < 0 ? 0 : *limit_mw > most_mw ? most_mw : *limit_mw;
    int64_t reach_mw = from_mw + (int64_t)rise_w_per_s * dt_ms;
    *limit_mw = now_mw < reach_mw ? now_mw : reach_mw;
    return now_mw <= reach_mw ? w : tw_clamp(tw_part(*limit_mw, 1, 1000), 0, w);
}

static void bound_unit(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input,
                       uint32_t commands, bool plausible, const tw_cycle_t *cycle, tw_unit_output_t *output)
{
    int32_t *in = output->charge_after_w;
    int32_t *out = output->discharge_after_w;
    in[TW_BOUND_RATING] = config->power_charge_max_w;
    out[TW_BOUND_RATING] = config->power_discharge_max_w;
    int32_t in_w = plausible ? charge_chain(config, input, commands, in) : no_chain(in);
    int32_t out_w = plausible ? discharge_chain(config, input, state->mode == TW_MODE_ISLAND, out) : no_chain(out);

    bool derated = cycle->derated || (state->active & TW_UNIT_AT(TW_LEVEL_BIT(DERATE))) != 0U;
    in[TW_BOUND_DERATE] = in_w = derated ? in_w / 2 : in_w;
    out[TW_BOUND_DERATE] = out_w = derated ? out_w / 2 : out_w;

    bool idle = state->mode != TW_MODE_RUN || state->latched != 0U;
    const uint64_t no_charge = TW_UNIT_AT(TW_LEVELS_ZERO | TW_LEVEL_BIT(NO_CHARGE));
    const uint64_t no_discharge = TW_UNIT_AT(TW_LEVELS_ZERO | TW_LEVEL_BIT(NO_DISCHARGE));
    in_w = idle || (state->active & no_charge) != 0U ? 0 : in_w;
    out_w = idle || (state->active & no_discharge) != 0U ? 0 : out_w;
    in[TW_BOUND_FORBIDDEN] = cycle->usable ? in_w : 0; /* what the gate sees; a unit's own limit rises all the same */
    out[TW_BOUND_FORBIDDEN] = cycle->usable ? out_w : 0;

    in_w = rise(&state->charge_limit_mw, in_w, config->limit_rise_w_per_s, cycle->dt_ms);
    out_w = rise(&state->discharge_limit_mw, out_w, config->limit_rise_w_per_s, cycle->dt_ms);
    in[TW_BOUND_RISE] = output->charge_max_w = cycle->usable ? in_w : 0;
    out[TW_BOUND_RISE] = output->discharge_max_w = cycle->usable ? out_w : 0;
}

void tw_unit_limits(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                    const tw_cycle_t *cycle, tw_output_t *output)
{
    for (int32_t i = 0; i < config->unit_count; i++) {
        bound_unit(&config->unit[i], &state->unit[i], &input->unit[i], input->commands, facts[i].plausible, cycle,
                   &output->unit[i]);
    }
}
