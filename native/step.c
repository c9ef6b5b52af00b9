/* One cycle: forbid, band, wish, ramp, band again, share, order, report. Writes the whole output whatever the input holds; with a
 * configuration that is not one, the output is all zero power and says so. */
#include "door.h"
#include "inner.h"

static void clear(void *at, size_t size)
{
    unsigned char *bytes = at;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = 0; /* also what no field covers: a trace compares outputs byte by byte */
    }
}

static void refuse(const tw_state_t *state, const tw_input_t *input, tw_output_t *output)
{
    clear(output, sizeof *output);
    output->mono_ms = input->mono_ms;
    output->cycle_count = state->cycle_count;
    output->why = TW_SITE_BIT(CONFIG) | TW_SITE_BIT(BOOT);
    output->first_out = -1;
    output->first_out_unit = -1;
}

/* Time since the last cycle. A clock that stands still, runs backwards or skips makes this cycle a zero one. */
static void begin(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_cycle_t *cycle)
{
    cycle->dt_ms = config->cycle_ms;
    cycle->clock_bad = false;
    if (state->started != 0U) {
        uint64_t gap_ms = (uint64_t)input->mono_ms - (uint64_t)state->mono_ms; /* wraps to huge when backwards */
        bool sane = gap_ms > 0U && gap_ms <= 2U * (uint64_t)config->cycle_ms;
        cycle->dt_ms = sane ? (int32_t)gap_ms : 0;
        cycle->clock_bad = !sane;
    }
    state->mono_ms = input->mono_ms;
    state->started = 1;
    cycle->reset = tw_asked(input, TW_COMMAND_RESET) && !(state->commands & TW_COMMAND_RESET);
    cycle->poc_fresh = !tw_older(input->poc_age_ms, config->poc_age_max_ms);
    cycle->io = config->io_required == 0 || !tw_older(input->io_age_ms, config->io_age_max_ms);
    cycle->booting = true;
    for (int32_t i = 0; i < config->unit_count; i++) {
        cycle->booting = cycle->booting && state->unit[i].mode == TW_MODE_BOOT;
    }
}

static void forbid(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_facts_t *facts,
                   tw_cycle_t *cycle)
{
    tw_unit_causes(config, state, input, cycle->dt_ms, facts);
    tw_site_causes(config, state, input, facts, cycle);
    tw_latch(config, state, input, facts, cycle);
}

static int32_t mean_of(int32_t soc_cpct, int32_t count)
{
    return count == 1 ? soc_cpct : tw_clamp(tw_part(soc_cpct, 1, count), 0, 10000);
}

/* What the clever half sees of the units. */
static void view_units(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input,
                       const tw_facts_t *facts, const tw_output_t *output, tw_view_t *view)
{
    int32_t running = 0;
    int32_t soc_cpct = 0;
    view->full = view->usable;
    for (int32_t i = 0; i < config->unit_count; i++) {
        const tw_unit_input_t *unit = &input->unit[i];
        if (facts[i].pcs_fresh) {
            view->power_w += tw_power(unit->power_w);
            view->pcs_age_ms = tw_most(view->pcs_age_ms, unit->pcs_age_ms);
        }
        view->before_w += tw_power(state->unit[i].setpoint_w);
        view->island = view->island || state->unit[i].mode == TW_MODE_ISLAND;
        if (state->unit[i].mode == TW_MODE_RUN) {
            running++;
            soc_cpct += tw_clamp(unit->soc_cpct, 0, 10000);
            view->measured = view->measured && facts[i].pcs_fresh;
            view->full = view->full && output->unit[i].charge_after_w[TW_BOUND_FORBIDDEN] == 0;
        }
    }
    view->soc_cpct = running > 0 ? mean_of(soc_cpct, running) : config->wish.soc_target_cpct;
}

static void look(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                 const tw_cycle_t *cycle, const tw_output_t *output, tw_view_t *view)
{
    *view = (tw_view_t){.dt_ms = cycle->dt_ms, .usable = cycle->usable};
    view->measured = cycle->poc_fresh && !(state->active & TW_SITE_BIT(POC_FADE));
    view_units(config, state, input, facts, output, view);
    view->net_load_w = view->measured ? (int64_t)tw_power(input->poc_power_w) + view->power_w : 0; /* both as they are now */
    view->band_min_w = output->band_min_w;
    view->band_max_w = output->band_max_w;
}

/* What the guard hands through as it is. */
static void report_wish(const tw_wish_t *wish, tw_output_t *output)
{
    output->functions = wish->functions;
    output->signals = wish->signals;
    output->reference_w = wish->reference_w;
    output->dead_time_ms = wish->dead_time_ms;
    output->period_ms = wish->period_ms;
    output->gain_permille = wish->gain_permille;
    for (int32_t i = 0; i < TW_STAGE_WISH; i++) {
        output->stage_w[i] = wish->stage_w[i];
    }
}

static void share(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_cycle_t *cycle,
                  int32_t reactive_permille, tw_output_t *output)
{
    int32_t permille = cycle->usable ? tw_clamp(reactive_permille, -1000, 1000) : 0;
    output->reactive_permille = permille;
    tw_allocate(config, state, input, output);
    for (int32_t i = 0; i < config->unit_count; i++) {
        int32_t most_var = permille != 0 && state->unit[i].mode == TW_MODE_RUN ? config->unit[i].reactive_max_var : 0;
        output->unit[i].reactive_var = most_var == 0 ? 0 : tw_clamp(tw_part(most_var, permille, 1000), -most_var, most_var);
        state->unit[i].setpoint_w = output->unit[i].setpoint_w;
    }
}

static void report_units(const tw_config_t *config, const tw_state_t *state, tw_output_t *output)
{
    for (int32_t i = 0; i < config->unit_count; i++) {
        const tw_unit_state_t *unit = &state->unit[i];
        output->unit[i].why = unit->active | (unit->latched != 0U ? TW_UNIT_BIT(LATCHED) : 0U)
            | (unit->cooldown_ms > 0 ? TW_UNIT_BIT(COOLDOWN) : 0U);
        output->unit[i].latched = unit->latched;
        output->unit[i].reserved = 0;
    }
    for (int32_t i = config->unit_count; i < TW_UNITS; i++) {
        clear(&output->unit[i], sizeof output->unit[i]);
    }
}

static void report(tw_state_t *state, const tw_input_t *input, const tw_cycle_t *cycle, tw_output_t *output)
{
    bool expired = (input->wish_kind != TW_WISH_NONE || input->wish_w != 0) && input->wish_left_ms <= 0;
    output->why |= state->active;
    output->why |= state->mode == TW_MODE_BOOT ? TW_SITE_BIT(BOOT) : 0U;
    output->why |= cycle->latched ? TW_SITE_BIT(LATCHED) : 0U;
    output->why |= expired ? TW_SITE_BIT(WISH_EXPIRED) : 0U;
    state->commands = input->commands;
    state->cycle_count++;
    output->mono_ms = input->mono_ms;
    output->cycle_count = state->cycle_count;
    output->latched = state->latched;
    output->first_out = state->first_out;
    output->first_out_unit = state->first_out_unit;
    output->first_out_mono_ms = state->first_out_mono_ms;
    output->reserved = 0;
}

void tw_step(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output)
{
    if (!tw_config_still_ok(config, state)) {
        refuse(state, input, output);
        return;
    }
    tw_facts_t facts[TW_UNITS];
    tw_wish_t wish;
    tw_cycle_t cycle;
    tw_view_t view;
    begin(config, state, input, &cycle);
    output->why = 0;
    forbid(config, state, input, facts, &cycle);
    tw_move_modes(config, state, input, facts, &cycle, output);
    cycle.usable = cycle.running && !cycle.forbidden && state->latched == 0U;
    tw_unit_limits(config, state, input, facts, &cycle, output);
    tw_site_band(config, input, facts, output);
    look(config, state, input, facts, &cycle, output, &view);
    tw_wish(config, &state->wish, input, &view, &wish);
    report_wish(&wish, output);
    tw_battery_power(config, state, &cycle, wish.battery_w, view.before_w, output);
    share(config, state, input, &cycle, wish.reactive_permille, output);
    tw_curtail(config, state, input, &cycle, output);
    report_units(config, state, output);
    report(state, input, &cycle, output);
}
