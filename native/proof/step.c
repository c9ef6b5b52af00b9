/* A whole step, with the body of tw_step and promises (promises.h) in the place of its parts: what reaches the output, whatever the
 * state was, whatever the input holds, and whatever is wished. By induction on the cycles, since any state is allowed. */
#include "promises.h"
#include "view.h"

void typed_clear(void *at, size_t size);

#include "../step.c"

static int64_t ramp_step_w;      /* the step that the division answered, as `ramp step` proves it */
static int32_t ramp_before_w;

/* The proof `refuse` shows that the bytes are zero; here they are so by type. */
void typed_clear(void *at, size_t size)
{
    if (size == sizeof(tw_unit_output_t)) {
        *(tw_unit_output_t *)at = (tw_unit_output_t){0};
    } else {
        *(tw_output_t *)at = (tw_output_t){0};
    }
}

bool tw_config_still_ok(const tw_config_t *config, tw_state_t *state)
{
    (void)config;
    (void)state;
    return true; /* else: `refuse` */
}

void tw_unit_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms, tw_facts_t *facts)
{
    HOLDS(dt_ms >= 0 && dt_ms <= 2000, "dt is within two cycles");
    for (int32_t i = 0; i < config->unit_count; i++) {
        const tw_unit_state_t before = state->unit[i];
        state->unit[i] = nondet_unit_state();
        facts[i] = nondet_facts();
        GIVEN(fresh_is_young(&config->unit[i], &input->unit[i], &facts[i]) && missing_is_a_cause(&state->unit[i], &facts[i])
              && plausible_is_in_range(&input->unit[i], &facts[i]) && causes_only(&before, &state->unit[i]));
    }
}

void tw_site_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts, tw_cycle_t *cycle)
{
    (void)facts;
    state->active = nondet_uint32();
    state->held = nondet_uint32();
    cycle->forbidden = nondet_bool();
    cycle->halted = nondet_bool();
    cycle->derated = nondet_bool();
    GIVEN(site_missing_is_a_cause(input, cycle, state->active) && forbidden_is_told(config, cycle, state->active));
}

void tw_latch(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts, tw_cycle_t *cycle)
{
    (void)input;
    (void)facts;
    const uint32_t had = state->latched;
    state->latched = nondet_uint32();
    state->clear_ms = nondet_int32();
    state->held = nondet_uint32();
    GIVEN(site_latch_kept(config, had, state->latched, state->clear_ms, cycle) && site_latches(state->active, state->latched));
    bool all = true;
    for (int32_t i = 0; i < config->unit_count; i++) {
        const tw_unit_state_t before = state->unit[i];
        state->unit[i] = nondet_unit_state();
        GIVEN(unit_latch_kept(config, &before, &state->unit[i], cycle) && unit_latches(&before, &state->unit[i])
              && latch_only(&before, &state->unit[i]));
        all = all && state->unit[i].latched != 0U;
    }
    cycle->latched = state->latched != 0U || all;
}

void tw_move_modes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                   tw_cycle_t *cycle, tw_output_t *output)
{
    (void)facts;
    cycle->running = false;
    for (int32_t i = 0; i < config->unit_count; i++) {
        tw_unit_state_t before = state->unit[i];
        state->unit[i] = nondet_unit_state();
        GIVEN(mode_only(&before, &state->unit[i]));
        before.cooldown_ms = nondet_int32(); /* it has grown shorter */
        uint32_t event = nondet_uint32();
        GIVEN(event_fits(state, &before, input, cycle, event) && mode_follows(before.mode, event, state->unit[i].mode));
        output->unit[i].event = event;
        output->unit[i].mode = state->unit[i].mode;
        output->unit[i].order = nondet_uint32();
        GIVEN(order_fits(state->unit[i].mode, output->unit[i].order));
        cycle->running = cycle->running || state->unit[i].mode == TW_MODE_RUN;
    }
    state->mode = nondet_uint32();
    GIVEN(state->mode < TW_MODES);
    output->mode = state->mode;
}

void tw_unit_limits(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                    const tw_cycle_t *cycle, tw_output_t *output)
{
    for (int32_t i = 0; i < config->unit_count; i++) {
        tw_unit_output_t *unit = &output->unit[i];
        state->unit[i].charge_limit_mw = nondet_int64();
        state->unit[i].discharge_limit_mw = nondet_int64();
        unit->charge_max_w = nondet_int32();
        unit->discharge_max_w = nondet_int32();
        GIVEN(within_rating(&config->unit[i], unit) && forbidden_is_zero(&state->unit[i], facts[i].plausible, cycle, unit)
              && stops_are_zero(&config->unit[i], &input->unit[i], input->commands, unit));
    }
}

void tw_site_band(const tw_config_t *config, const tw_input_t *input, const tw_facts_t *facts, tw_output_t *output)
{
    (void)input;
    (void)facts;
    output->band_min_w = output->band_max_w = 0;
    for (int32_t i = 0; i < config->unit_count; i++) {
        output->band_min_w -= output->unit[i].charge_max_w;
        output->band_max_w += output->unit[i].discharge_max_w;
    }
    output->net_load_w = any_between(-9 * TW_POWER_LIMIT_W, 9 * TW_POWER_LIMIT_W);
    output->why |= nondet_uint32();
}

/* Nothing is promised of a wish. */
void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view, tw_wish_t *wish)
{
    (void)config;
    (void)input;
    HOLDS(view_fits(view), "every number of the view is within the range that the clever half counts on");
    *state = nondet_wish_state();
    *wish = nondet_wish();
}

void tw_battery_power(const tw_config_t *config, const tw_state_t *state, const tw_cycle_t *cycle, int32_t asked_w,
                      int32_t before_w, tw_output_t *output)
{
    (void)asked_w;
    HOLDS(before_w >= -TW_BATTERY_LIMIT_W && before_w <= TW_BATTERY_LIMIT_W, "the last setpoints add up within the limit");
    ramp_before_w = before_w;
    ramp_step_w = nondet_int64();
    output->battery_w = nondet_int32();
    output->wish_w = nondet_int32();
    output->why |= nondet_uint32();
    GIVEN(ramp_step_w >= 0 && ramp_step_w <= 2 * (int64_t)TW_POWER_LIMIT_W && battery_in_bands(config, cycle, output)
          && battery_ramps(config, cycle, state->active, before_w, ramp_step_w, output));
}

void tw_allocate(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output)
{
    (void)input;
    HOLDS(output->battery_w >= output->band_min_w && output->battery_w <= output->band_max_w, "what is shared fits the units");
    state->sharing = nondet_uint32();
    for (int32_t i = 0; i < config->unit_count; i++) {
        output->unit[i].setpoint_w = nondet_int32();
        GIVEN(share_in_band(output, i));
    }
    GIVEN(shares_add_up(config, output));
}

void tw_curtail(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_cycle_t *cycle, tw_output_t *output)
{
    (void)input;
    (void)cycle;
    state->pv_limit_w = output->pv_limit_w = any_between(0, config->pv_rated_w);
    output->why |= nondet_uint32();
}

int64_t tw_part(int64_t whole, int64_t part, int64_t of)
{
    HOLDS(part_fits(whole, part), "the division is asked within its range");
    (void)of;
    return nondet_int64();
}

static bool stale(int32_t age_ms, int32_t age_max_ms)
{
    return age_ms < 0 || age_ms > age_max_ms;
}

/* One unit's part of the output, at the end of a step. */
static void look_at_unit(const tw_config_t *config, const tw_state_t *before, const tw_state_t *after, const tw_input_t *input,
                         const tw_output_t *output, int32_t i)
{
    const tw_unit_config_t *unit = &config->unit[i];
    const tw_unit_input_t *in = &input->unit[i];
    const tw_unit_output_t *out = &output->unit[i];
    const tw_unit_state_t *state = &after->unit[i];
    const int32_t power_w = out->setpoint_w;
    HOLDS(power_w >= -out->charge_max_w && power_w <= out->discharge_max_w && within_rating(unit, out),
          "(a) every setpoint is within its unit's band, and that within the rating");
    HOLDS(power_w == 0 || (!stale(in->bms_age_ms, unit->bms_age_max_ms) && !stale(in->pcs_age_ms, unit->pcs_age_max_ms)),
          "(d) a unit whose BMS or PCS is silent or old is at 0 W");
    HOLDS(power_w == 0 || (in->soc_cpct >= 0 && in->soc_cpct <= 10000 && in->cell_voltage_min_mv >= 0
                           && in->cell_voltage_max_mv <= 5000 && in->cell_temp_min_dc >= -600 && in->cell_temp_max_dc <= 1500),
          "(d) a unit whose values are missing is at 0 W");
    HOLDS((out->charge_max_w == 0 && out->discharge_max_w == 0) || state->mode == TW_MODE_RUN, "(e) nothing for the gate to pass but in RUN");
    HOLDS(power_w == 0 || state->mode == TW_MODE_RUN, "(e) no power but in RUN");
    HOLDS(state->mode != TW_MODE_RUN || before->unit[i].mode == TW_MODE_RUN || before->unit[i].mode == TW_MODE_START,
          "(e) into RUN leads START only");
    HOLDS(order_fits(state->mode, out->order), "(e) the order is that of the mode");
    HOLDS(state->latched == 0U || (power_w == 0 && !mode_in(state->mode, POWERED) && out->order != TW_ORDER_CONNECT
                                   && out->order != TW_ORDER_START && out->order != TW_ORDER_ISLAND),
          "(f) a latched unit has no power and is told nothing that leads to it");
    bool asked = (input->commands & TW_COMMAND_RESET) && !(before->commands & TW_COMMAND_RESET);
    uint64_t lost = before->unit[i].latched & UNIT_CAN_LATCH & ~state->latched;
    HOLDS(lost == 0U || (asked && state->clear_ms >= config->reset_hold_ms), "(f) no latch ends without a reset and its hold time");
    HOLDS(!(lost & TW_UNIT_SERVICED) || before->unit[i].mode == TW_MODE_SERVICE, "(f) a dead cell: in SERVICE only");
    HOLDS(power_w >= 0 || (in->soc_cpct < tw_soc_top(unit, input->commands) && in->cell_voltage_max_mv < unit->cell_voltage_max_mv
                           && in->cell_temp_min_dc > unit->temp_charge_min_dc && in->cell_temp_max_dc < unit->temp_charge_max_dc),
          "(g) a battery at its upper stop, or too cold or warm for it, is not charged");
    HOLDS(power_w <= 0 || (in->soc_cpct > unit->soc_min_cpct && in->cell_voltage_min_mv > unit->cell_voltage_min_mv
                           && in->cell_temp_max_dc < unit->temp_max_dc), "(g) a battery at its lower stop, or too warm, is not discharged");
    HOLDS(state->setpoint_w == power_w && out->latched == state->latched, "the output is what the state keeps");
    HOLDS(out->reactive_var >= -unit->reactive_max_var && out->reactive_var <= unit->reactive_max_var
          && (out->reactive_var == 0 || state->mode == TW_MODE_RUN), "(a) reactive power within its rating, and in RUN only");
}

static void look_at_site(const tw_config_t *config, const tw_state_t *before, const tw_state_t *after, const tw_input_t *input,
                         const tw_output_t *output)
{
    uint64_t gap_ms = (uint64_t)input->mono_ms - (uint64_t)before->mono_ms;
    bool late = before->started != 0U && (gap_ms == 0U || gap_ms > 2U * (uint64_t)config->cycle_ms);
    bool silent = config->io_required != 0 && stale(input->io_age_ms, config->io_age_max_ms);
    HOLDS(shares_add_up(config, output), "(b) the setpoints add up to the battery");
    HOLDS(output->battery_w == 0 || output->battery_w >= site_low_w(config, output) || output->battery_w == output->band_max_w,
          "(b) import and fuse hold, as far as the units can discharge");
    HOLDS(output->battery_w == 0 || output->battery_w <= site_high_w(config, output) || output->battery_w == output->band_min_w,
          "(b) export holds, as far as the units can charge");
    HOLDS(output->battery_w == 0 || !stale(input->poc_age_ms, config->poc_age_max_ms), "(d) no power with a silent POC meter");
    HOLDS(output->battery_w == 0 || !late, "(d) no power in a cycle whose clock is not to be believed");
    HOLDS(output->battery_w == 0 || !silent, "(d) no power with a silent remote I/O that is required");
    HOLDS(output->battery_w == 0 || !(input->commands & TW_COMMAND_ESTOP), "(f) no power with an emergency stop");
    HOLDS(output->battery_w == 0 || !(input->flags & (TW_SITE_CHANGED | TW_SITE_SELF_TEST)),
          "(d) no power with another configuration or a failed self-test");
    HOLDS(after->latched == 0U || output->battery_w == 0, "(f) no power while the site is latched");
    bool asked = (input->commands & TW_COMMAND_RESET) && !(before->commands & TW_COMMAND_RESET);
    HOLDS(!(before->latched & TW_SITE_LATCHING & ~after->latched) || (asked && after->clear_ms >= config->reset_hold_ms),
          "(f) no latch of the site ends without a reset and its hold time");
    HOLDS(after->cycle_count == before->cycle_count + 1U && after->config_sum == before->config_sum, "the step is counted");
    HOLDS(after->commands == input->commands && after->mono_ms == input->mono_ms, "commands and time are kept for the next");
    HOLDS(output->pv_limit_w >= 0 && output->pv_limit_w <= config->pv_rated_w, "the PV limit is within its rating");
}

void prove_step(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    GIVEN(config_accepted(&config));
    tw_state_t state;
    const tw_state_t before = state;
    tw_input_t input;
    tw_output_t output;

    tw_step(&config, &state, &input, &output);

    SHOW(battery_w, output.battery_w);
    SHOW(setpoint_w, output.unit[0].setpoint_w);
    SHOW(mode, state.unit[0].mode);
    SHOW(latched, state.unit[0].latched);
    SHOW(order, output.unit[0].order);
    SHOW(poc_age_ms, input.poc_age_ms);
    SHOW(bms_age_ms, input.unit[0].bms_age_ms);
    SHOW(commands, input.commands);
    for (int32_t i = 0; i < config.unit_count; i++) {
        look_at_unit(&config, &before, &state, &input, &output, i);
    }
    look_at_site(&config, &before, &state, &input, &output);
    int32_t before_w = 0;
    for (int32_t i = 0; i < config.unit_count; i++) {
        before_w += tw_power(before.unit[i].setpoint_w);
    }
    HOLDS(ramp_before_w == before_w, "(c) the ramp begins where the last step's setpoints were");
    for (int32_t i = config.unit_count; i < TW_UNITS; i++) {
        HOLDS(output.unit[i].setpoint_w == 0 && output.unit[i].order == TW_ORDER_NONE && output.unit[i].charge_max_w == 0
              && output.unit[i].discharge_max_w == 0, "a unit that is not there has no power and no order");
    }
    END;
}

/* With a configuration that is not one: zero power, and it says so. */
void prove_refuse(void)
{
    tw_state_t state;
    state.cycle_count = nondet_uint32();
    tw_input_t input;
    input.mono_ms = nondet_int64();
    tw_output_t output;
    refuse(&state, &input, &output);
    bool zero = output.battery_w == 0 && output.mode == TW_MODE_BOOT && output.pv_limit_w == 0 && output.latched == 0U;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        zero = zero && output.unit[i].setpoint_w == 0 && output.unit[i].order == TW_ORDER_NONE
            && output.unit[i].charge_max_w == 0 && output.unit[i].discharge_max_w == 0 && output.unit[i].reactive_var == 0;
    }
    HOLDS(zero, "(d) no power and no order without an accepted configuration");
    HOLDS(output.why == (SITE(CONFIG) | SITE(BOOT)) && output.mono_ms == input.mono_ms, "and it says why");
    END;
}
