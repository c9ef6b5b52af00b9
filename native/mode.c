/* Latches, modes, orders. A latch is a cause that stopped something for good: it needs the cause gone, a hold time and a
 * reset by a person. A reset leads to STANDBY, never straight to RUN.
 *
 *   BOOT --all fresh, settled--> STANDBY <--hold / run withdrawn-- RUN
 *   STANDBY --run asked, a unit up--> RUN        STANDBY <--> SERVICE
 *   any --emergency stop, or no unit left unlatched--> FAULT --reset--> STANDBY
 */
#include "inner.h"

static bool asked(const tw_input_t *input, uint32_t command)
{
    return (input->commands & command) != 0U;
}

static bool wants_run(const tw_input_t *input)
{
    return asked(input, TW_COMMAND_RUN) && !asked(input, TW_COMMAND_HOLD | TW_COMMAND_SERVICE);
}

static bool estop_now(const tw_config_t *config, const tw_input_t *input)
{
    bool seen = asked(input, TW_COMMAND_ESTOP);
    for (int32_t i = 0; i < config->unit_count; i++) {
        bool fresh = !tw_older(input->unit[i].pcs_age_ms, config->unit[i].pcs_age_max_ms);
        seen = seen || (fresh && (input->unit[i].pcs_flags & TW_PCS_ESTOP) != 0U);
    }
    return seen;
}

uint32_t tw_site_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms)
{
    uint32_t why = 0;
    why |= asked(input, TW_COMMAND_RUN) ? 0U : (uint32_t)TW_WHY_NOT_ASKED;
    why |= asked(input, TW_COMMAND_HOLD) ? (uint32_t)TW_WHY_HOLD : 0U;
    why |= asked(input, TW_COMMAND_SERVICE) ? (uint32_t)TW_WHY_SERVICE : 0U;
    why |= tw_older(input->poc_age_ms, config->poc_age_max_ms) ? (uint32_t)TW_WHY_POC_STALE : 0U;
    why |= estop_now(config, input) ? (uint32_t)TW_WHY_ESTOP : 0U;
    state->clear_ms = (why & TW_WHY_ESTOP) ? 0 : tw_longer(state->clear_ms, dt_ms);
    return why;
}

static void note_first_out(tw_state_t *state, const tw_input_t *input, uint32_t fresh, int32_t unit)
{
    if (fresh != 0U && state->first_out == 0U) {
        state->first_out = fresh & (0U - fresh); /* several in one cycle: the lowest bit, always the same one */
        state->first_out_unit = unit;
        state->first_out_mono_ms = input->mono_ms;
    }
}

static void latch_unit(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output,
                       int32_t index, bool reset, int32_t dt_ms)
{
    tw_unit_state_t *unit = &state->unit[index];
    uint32_t causes = output->unit[index].why & TW_UNIT_LATCHING;
    if (state->mode == TW_MODE_SERVICE) {
        causes &= ~TW_UNIT_SILENCE;
    }
    unit->latched &= TW_UNIT_LATCHING;
    unit->clear_ms = causes != 0U ? 0 : tw_longer(unit->clear_ms, dt_ms);
    if (reset && unit->clear_ms >= config->reset_hold_ms) {
        unit->latched = 0;
    }
    note_first_out(state, input, causes & ~unit->latched, index);
    unit->latched |= causes;
    output->unit[index].latched = unit->latched;
    output->unit[index].why |= unit->latched != 0U ? (uint32_t)TW_UNIT_LATCHED : 0U;
}

void tw_latch(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output,
              uint32_t site_causes, int32_t dt_ms)
{
    bool reset = asked(input, TW_COMMAND_RESET) && !(state->commands & TW_COMMAND_RESET);
    state->latched &= (uint32_t)TW_WHY_ESTOP;
    if (reset && state->clear_ms >= config->reset_hold_ms) {
        state->latched = 0;
    }
    note_first_out(state, input, site_causes & (uint32_t)TW_WHY_ESTOP & ~state->latched, -1);
    state->latched |= site_causes & (uint32_t)TW_WHY_ESTOP;
    uint32_t any = state->latched;
    for (int32_t i = 0; i < config->unit_count; i++) {
        latch_unit(config, state, input, output, i, reset, dt_ms);
        any |= state->unit[i].latched;
    }
    if (state->first_out_unit < -1 || state->first_out_unit >= config->unit_count) {
        state->first_out_unit = -1; /* not ours */
    }
    if (any == 0U) {
        state->first_out = 0;
        state->first_out_unit = -1;
        state->first_out_mono_ms = 0;
    }
}

static bool all_fresh(const tw_config_t *config, const tw_input_t *input, const tw_output_t *output)
{
    bool fresh = !tw_older(input->poc_age_ms, config->poc_age_max_ms);
    for (int32_t i = 0; i < config->unit_count; i++) {
        fresh = fresh && !(output->unit[i].why & (uint32_t)(TW_UNIT_BMS_STALE | TW_UNIT_PCS_STALE));
    }
    return fresh;
}

static bool stopped_for_good(const tw_config_t *config, const tw_state_t *state)
{
    bool all_latched = true;
    for (int32_t i = 0; i < config->unit_count; i++) {
        all_latched = all_latched && state->unit[i].latched != 0U;
    }
    return state->latched != 0U || all_latched;
}

static bool some_unit_up(const tw_config_t *config, const tw_output_t *output)
{
    bool some = false;
    for (int32_t i = 0; i < config->unit_count; i++) {
        some = some || !(output->unit[i].why & TW_UNIT_BLOCKING);
    }
    return some;
}

static uint32_t next_mode(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input,
                          const tw_output_t *output)
{
    if (stopped_for_good(config, state)) {
        return TW_MODE_FAULT;
    }
    switch (state->mode) {
    case TW_MODE_BOOT:
        return state->settle_ms >= config->boot_settle_ms && all_fresh(config, input, output)
            ? TW_MODE_STANDBY : TW_MODE_BOOT;
    case TW_MODE_STANDBY:
        if (asked(input, TW_COMMAND_SERVICE)) {
            return TW_MODE_SERVICE;
        }
        return wants_run(input) && some_unit_up(config, output) ? TW_MODE_RUN : TW_MODE_STANDBY;
    case TW_MODE_RUN:
        return wants_run(input) ? TW_MODE_RUN : TW_MODE_STANDBY;
    case TW_MODE_SERVICE:
        return asked(input, TW_COMMAND_SERVICE) ? TW_MODE_SERVICE : TW_MODE_STANDBY;
    case TW_MODE_FAULT: /* nothing is latched any more */
        return TW_MODE_STANDBY;
    default: /* a state that is not ours: begin again */
        return TW_MODE_BOOT;
    }
}

void tw_choose_mode(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_output_t *output,
                    int32_t dt_ms)
{
    state->settle_ms = all_fresh(config, input, output) ? tw_longer(state->settle_ms, dt_ms) : 0;
    uint32_t mode = next_mode(config, state, input, output);
    state->mode_ms = mode == state->mode ? tw_longer(state->mode_ms, dt_ms) : 0;
    state->mode = mode;
}

static uint32_t order_for(const tw_state_t *state, const tw_input_t *input, const tw_unit_output_t *unit)
{
    if (state->latched) {
        return TW_ORDER_OPEN; /* an emergency stop asks nobody */
    }
    if (unit->why & (uint32_t)TW_UNIT_PCS_LOCAL) {
        return TW_ORDER_NONE; /* somebody stands at the device: passive */
    }
    if (unit->latched & TW_UNIT_OPENING) {
        return TW_ORDER_OPEN;
    }
    if (unit->latched || state->mode == TW_MODE_FAULT) {
        return TW_ORDER_STOP;
    }
    if (state->mode == TW_MODE_BOOT || state->mode == TW_MODE_SERVICE) {
        return TW_ORDER_NONE;
    }
    if (!wants_run(input) || (unit->why & (uint32_t)TW_UNIT_BMS_ALARM)) {
        return TW_ORDER_STOP;
    }
    uint32_t blocking = unit->why & TW_UNIT_BLOCKING;
    return blocking != 0U && !(blocking & ~TW_UNIT_STARTABLE) ? TW_ORDER_START : TW_ORDER_NONE;
}

void tw_give_orders(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input, tw_output_t *output)
{
    for (int32_t i = 0; i < config->unit_count; i++) {
        output->unit[i].order = order_for(state, input, &output->unit[i]);
    }
}
