/* One cycle: forbid, band, wish, ramp, band again. Writes the whole output whatever the input holds; with a configuration
 * that is not one, the output is all zero power and says so. */
#include "inner.h"

static void clear_output(tw_output_t *output, const tw_state_t *state, const tw_input_t *input)
{
    unsigned char *bytes = (unsigned char *)output;
    for (size_t i = 0; i < sizeof *output; i++) {
        bytes[i] = 0;
    }
    output->mono_ms = input->mono_ms;
    output->cycle_count = state->cycle_count;
    output->first_out_unit = -1;
}

/* Time since the last cycle. A clock that stands still, runs backwards or skips makes this cycle a zero one. */
static int32_t elapsed_ms(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, uint32_t *why)
{
    int32_t dt_ms = config->cycle_ms;
    if (state->started) {
        uint64_t gap_ms = (uint64_t)input->mono_ms - (uint64_t)state->mono_ms; /* wraps to huge when backwards */
        bool sane = gap_ms > 0U && gap_ms <= 2U * (uint64_t)config->cycle_ms;
        dt_ms = sane ? (int32_t)gap_ms : 0;
        *why |= sane ? 0U : (uint32_t)TW_WHY_CLOCK;
    }
    state->mono_ms = input->mono_ms;
    state->started = 1;
    return dt_ms;
}

static void look_at_units(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output)
{
    for (int32_t i = 0; i < config->unit_count; i++) {
        output->unit[i].why = tw_unit_causes(&config->unit[i], &state->unit[i], &input->unit[i]);
    }
}

static void limit_units(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms,
                        tw_output_t *output)
{
    int64_t charge_w = 0;
    int64_t discharge_w = 0;
    for (int32_t i = 0; i < config->unit_count; i++) {
        tw_unit_limits(&config->unit[i], &state->unit[i], &input->unit[i], dt_ms, &output->unit[i]);
        charge_w += output->unit[i].charge_max_w;
        discharge_w += output->unit[i].discharge_max_w;
    }
    output->band_min_w = (int32_t)-charge_w; /* at most TW_UNITS * TW_POWER_LIMIT_W: fits */
    output->band_max_w = (int32_t)discharge_w;
    if (charge_w == 0 && discharge_w == 0) {
        output->why |= TW_WHY_NO_UNIT;
    }
}

static void take_wish(const tw_input_t *input, tw_output_t *output)
{
    if (input->wish_left_ms > 0) {
        output->wish_w = tw_power(input->wish_w);
    } else if (input->wish_w != 0) {
        output->why |= TW_WHY_WISH_EXPIRED;
    }
}

static void report(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t battery_w,
                   tw_output_t *output)
{
    output->battery_w = battery_w;
    output->latched = state->latched;
    output->why |= state->mode == TW_MODE_BOOT ? (uint32_t)TW_WHY_BOOT : 0U;
    output->why |= state->mode == TW_MODE_FAULT ? (uint32_t)TW_WHY_LATCHED : 0U;
    output->first_out = state->first_out;
    output->first_out_unit = state->first_out_unit;
    output->first_out_mono_ms = state->first_out_mono_ms;
    for (int32_t i = 0; i < config->unit_count; i++) {
        state->unit[i].setpoint_w = output->unit[i].setpoint_w;
    }
    state->commands = input->commands;
    state->cycle_count++;
    output->cycle_count = state->cycle_count;
}

void tw_step(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output)
{
    clear_output(output, state, input);
    if (!tw_config_ok(config)) {
        output->why = TW_WHY_CONFIG | TW_WHY_BOOT;
        return;
    }
    int32_t dt_ms = elapsed_ms(config, state, input, &output->why);
    look_at_units(config, state, input, output);
    output->why |= tw_site_causes(config, state, input, dt_ms);
    tw_latch(config, state, input, output, output->why, dt_ms);
    limit_units(config, state, input, dt_ms, output);
    tw_choose_mode(config, state, input, output, dt_ms);
    output->mode = state->mode;
    take_wish(input, output);
    int32_t battery_w = tw_battery_power(config, state, input, dt_ms, output);
    tw_allocate(config, battery_w, output);
    tw_give_orders(config, state, input, output);
    report(config, state, input, battery_w, output);
}
