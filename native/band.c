/* The battery power of the site in RUN: wish, ramp at the POC, site band, unit band, in this order, so that the last word is
 * always what the units may do. net load = what the grid would see without the battery. */
#include "inner.h"

static int64_t net_load_w(const tw_config_t *config, const tw_input_t *input)
{
    int64_t net_w = tw_power(input->poc_power_w);
    for (int32_t i = 0; i < config->unit_count; i++) {
        if (!tw_older(input->unit[i].pcs_age_ms, config->unit[i].pcs_age_max_ms)) {
            net_w += tw_power(input->unit[i].power_w);
        }
    }
    return net_w;
}

static int64_t within_band(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Moves the grid reference towards its target by no more than the ramp allows. */
static int64_t follow(const tw_config_t *config, tw_state_t *state, int64_t target_w, int32_t dt_ms, uint32_t *why)
{
    int64_t target_mw = target_w * 1000;
    /* W/s times ms is milliwatts: no remainder to carry. */
    int64_t high_mw = state->poc_reference_mw + (int64_t)config->ramp_up_max_w_per_s * dt_ms;
    int64_t low_mw = state->poc_reference_mw - (int64_t)config->ramp_down_max_w_per_s * dt_ms;
    int64_t reference_mw = target_mw;
    if (config->ramp_up_max_w_per_s != 0 && target_mw > high_mw) {
        reference_mw = high_mw;
    } else if (config->ramp_down_max_w_per_s != 0 && target_mw < low_mw) {
        reference_mw = low_mw;
    }
    *why |= reference_mw != target_mw ? (uint32_t)TW_WHY_RAMP : 0U;
    return reference_mw;
}

static int64_t site_band(const tw_config_t *config, int64_t net_w, int64_t battery_w, uint32_t *why)
{
    int64_t low_w = net_w - config->import_max_w;
    int64_t high_w = net_w + config->export_max_w;
    *why |= battery_w < low_w ? (uint32_t)TW_WHY_IMPORT_LIMIT : 0U;
    *why |= battery_w > high_w ? (uint32_t)TW_WHY_EXPORT_LIMIT : 0U;
    return within_band(battery_w, low_w, high_w);
}

static int64_t unit_band(const tw_output_t *output, int64_t battery_w, uint32_t *why)
{
    *why |= battery_w < output->band_min_w ? (uint32_t)TW_WHY_CHARGE_BOUND : 0U;
    *why |= battery_w > output->band_max_w ? (uint32_t)TW_WHY_DISCHARGE_BOUND : 0U;
    return within_band(battery_w, output->band_min_w, output->band_max_w);
}

int32_t tw_battery_power(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms,
                         tw_output_t *output)
{
    int64_t net_w = net_load_w(config, input);
    output->net_load_w = tw_clamp(net_w, -TW_AGE_NEVER, TW_AGE_NEVER);
    bool usable = output->mode == TW_MODE_RUN && !(output->why & (uint32_t)(TW_WHY_POC_STALE | TW_WHY_CLOCK));
    if (!usable) {
        state->reference_valid = 0;
        output->poc_reference_w = 0;
        return 0;
    }
    if (!state->reference_valid) {
        state->poc_reference_mw = net_w * 1000; /* the battery was told 0, so this is where the grid is heading */
        state->reference_valid = 1;
    }
    const int64_t reach_mw = (int64_t)TW_POWER_LIMIT_W * 1000 * (TW_UNITS + 1);
    state->poc_reference_mw = within_band(state->poc_reference_mw, -reach_mw, reach_mw);

    int64_t asked_w = net_w - output->wish_w;
    int64_t target_w = within_band(asked_w, -(int64_t)config->export_max_w, config->import_max_w);
    output->why |= asked_w > target_w ? (uint32_t)TW_WHY_IMPORT_LIMIT : 0U;
    output->why |= asked_w < target_w ? (uint32_t)TW_WHY_EXPORT_LIMIT : 0U;
    int64_t reference_mw = follow(config, state, target_w, dt_ms, &output->why);
    int64_t wanted_w = net_w - reference_mw / 1000;
    int64_t battery_w = site_band(config, net_w, wanted_w, &output->why);
    battery_w = unit_band(output, battery_w, &output->why);
    /* Where the battery cannot follow, the reference goes where the grid really will be: no wind-up. */
    state->poc_reference_mw = battery_w == wanted_w ? reference_mw : (net_w - battery_w) * 1000;
    output->poc_reference_w = tw_clamp(state->poc_reference_mw / 1000, -TW_AGE_NEVER, TW_AGE_NEVER);
    return (int32_t)battery_w;
}
