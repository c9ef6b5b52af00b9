/* What is wrong with the site right now: commands, alarms, meter, clock, grid; and the safe action HOLD. Nothing here decides power.
 * While the remote I/O is silent its alarms stay what they were. Three causes look at others of this cycle and come last. */
#include "inner.h"

/* Look at others of this cycle, and have no delays: their timers are always 0. */
#define LATE (TW_SITE_BIT(HOLD) | TW_SITE_BIT(OVERRUN) | TW_SITE_BIT(GRID_WAIT))

/* Causes that are gone as soon as they do not trip; of the remote I/O, while it may be believed. */
#define PLAIN                                                                                            \
    (TW_SITE_BIT(NOT_ASKED) | TW_SITE_BIT(SERVICE) | TW_SITE_BIT(IO_STALE) | TW_SITE_BIT(POC_STALE)      \
     | TW_SITE_BIT(POC_FADE) | TW_SITE_BIT(CLOCK) | TW_SITE_BIT(CHANGED) | TW_SITE_BIT(SELF_TEST))
#define PLAIN_IO                                                                                         \
    (TW_SITE_BIT(SMOKE) | TW_SITE_BIT(SMOKE_WARN) | TW_SITE_BIT(WATER) | TW_SITE_BIT(DOOR)               \
     | TW_SITE_BIT(AIRCON) | TW_SITE_BIT(SURGE) | TW_SITE_BIT(LOCAL))

#define IO_FLAGS                                                                                         \
    ((uint32_t)TW_SITE_SMOKE_1 | TW_SITE_SMOKE_2 | TW_SITE_WATER | TW_SITE_DOOR | TW_SITE_AIRCON         \
     | TW_SITE_SURGE | TW_SITE_LOCAL)

static bool estop_now(const tw_config_t *config, const tw_input_t *input, const tw_facts_t *facts, bool io)
{
    bool seen = tw_asked(input, TW_COMMAND_ESTOP) || (io && (input->flags & TW_SITE_ESTOP) != 0U);
    for (int32_t i = 0; i < config->unit_count; i++) {
        seen = seen || (facts[i].pcs_fresh && (input->unit[i].pcs_flags & TW_PCS_ESTOP) != 0U);
    }
    return seen;
}

static bool outside(int32_t value, int32_t low, int32_t high)
{
    return high > 0 && value != TW_UNKNOWN && (value < low || value > high);
}

static bool grid_lost_now(const tw_config_t *config, const tw_input_t *input, const tw_cycle_t *cycle)
{
    bool told = cycle->io && (input->flags & TW_SITE_GRID_LOST) != 0U;
    bool seen = outside(input->poc_voltage_dv, config->voltage_min_dv, config->voltage_max_dv)
        || outside(input->poc_frequency_mhz, config->frequency_min_mhz, config->frequency_max_mhz);
    return told || (cycle->poc_fresh && seen);
}

static void judge_flag(tw_judged_t *judged, int32_t cause, uint32_t flags, uint32_t flag)
{
    tw_trip(judged, cause, (flags & flag) != 0U);
}

static void judge_io(uint32_t flags, tw_judged_t *judged)
{
    const uint32_t both = TW_SITE_SMOKE_1 | TW_SITE_SMOKE_2;
    tw_trip(judged, TW_SITE_C_SMOKE, (flags & both) == both);
    judge_flag(judged, TW_SITE_C_SMOKE_WARN, flags, both);
    judge_flag(judged, TW_SITE_C_WATER, flags, TW_SITE_WATER);
    judge_flag(judged, TW_SITE_C_DOOR, flags, TW_SITE_DOOR);
    judge_flag(judged, TW_SITE_C_AIRCON, flags, TW_SITE_AIRCON);
    judge_flag(judged, TW_SITE_C_SURGE, flags, TW_SITE_SURGE);
    judge_flag(judged, TW_SITE_C_LOCAL, flags, TW_SITE_LOCAL);
}

static void judge_site(const tw_config_t *config, const tw_input_t *input, const tw_facts_t *facts,
                       const tw_cycle_t *cycle, tw_judged_t *judged)
{
    tw_trip(judged, TW_SITE_C_NOT_ASKED, !tw_asked(input, TW_COMMAND_RUN));
    judge_flag(judged, TW_SITE_C_SERVICE, input->commands, TW_COMMAND_SERVICE);
    tw_judge(judged, TW_SITE_C_ESTOP, estop_now(config, input, facts, cycle->io), cycle->io);
    tw_trip(judged, TW_SITE_C_IO_STALE, !cycle->io);
    tw_trip(judged, TW_SITE_C_POC_STALE, !cycle->poc_fresh);
    tw_trip(judged, TW_SITE_C_POC_FADE, tw_older(input->poc_age_ms, config->poc_age_fade_ms));
    tw_trip(judged, TW_SITE_C_CLOCK, cycle->clock_bad);
    judge_flag(judged, TW_SITE_C_CHANGED, input->flags, TW_SITE_CHANGED);
    judge_flag(judged, TW_SITE_C_SELF_TEST, input->flags, TW_SITE_SELF_TEST);
    tw_judge(judged, TW_SITE_C_GRID_LOST, grid_lost_now(config, input, cycle), cycle->io && cycle->poc_fresh);
    if (cycle->io && (input->flags & IO_FLAGS) != 0U) {
        judge_io(input->flags, judged);
    }
    tw_clear_rest(judged, cycle->io ? PLAIN | PLAIN_IO : PLAIN);
}

static void watch(tw_state_t *state, uint32_t among, tw_judged_t judged, uint32_t quick, int32_t dt_ms)
{
    if (among != 0U) {
        state->active = (uint32_t)tw_watch(tw_site_rows(), among, judged, quick, state->active, state->timer_ms, dt_ms);
    }
}

/* The safe action HOLD waits for a person; a site that is only starting has nothing to hold. */
static void hold(const tw_config_t *config, tw_state_t *state, uint32_t rose, const tw_cycle_t *cycle)
{
    if ((rose | state->held) == 0U) {
        return; /* as nearly always */
    }
    const uint32_t three = TW_SITE_BIT(POC_STALE) | TW_SITE_BIT(GRID_LOST) | TW_SITE_BIT(DOOR);
    uint32_t holding = config->safe_poc == TW_SAFE_HOLD && !cycle->booting ? TW_SITE_BIT(POC_STALE) : 0U;
    holding |= config->safe_grid == TW_SAFE_HOLD ? TW_SITE_BIT(GRID_LOST) : 0U;
    holding |= config->safe_door == TW_SAFE_HOLD ? TW_SITE_BIT(DOOR) : 0U;
    bool ends = cycle->reset && (state->active & three) == 0U;
    bool begins = (rose & holding) != 0U;
    state->held = begins || (state->held != 0U && !ends) ? 1U : 0U;
}

static tw_judged_t judge_late(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, uint32_t rose,
                              const tw_cycle_t *cycle)
{
    tw_judged_t judged = {0, 0};
    bool clock_rose = (rose & TW_SITE_BIT(CLOCK)) != 0U;
    bool overrun = tw_third_within_hour(state->overrun_recent_ms, clock_rose, cycle->dt_ms);
    state->grid_good_ms = (state->active & TW_SITE_BIT(GRID_LOST)) ? 0 : tw_longer(state->grid_good_ms, cycle->dt_ms);
    tw_trip(&judged, TW_SITE_C_HOLD, tw_asked(input, TW_COMMAND_HOLD) || state->held != 0U);
    tw_trip(&judged, TW_SITE_C_OVERRUN, overrun);
    tw_trip(&judged, TW_SITE_C_GRID_WAIT, state->grid_good_ms < config->grid_return_ms);
    tw_clear_rest(&judged, LATE);
    return judged;
}

void tw_site_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                    tw_cycle_t *cycle)
{
    tw_judged_t judged = {0, 0};
    judge_site(config, input, facts, cycle, &judged);
    state->active &= TW_SITE_JUDGED;
    uint32_t before = state->active;
    uint32_t among = tw_timing(state->timer_ms, TW_SITE_CAUSES) ? ~0U : (uint32_t)judged.trip | before;
    watch(state, among, judged, cycle->booting ? TW_SITE_BIT(POC_STALE) : 0U, cycle->dt_ms);
    uint32_t rose = state->active & ~before;
    hold(config, state, rose, cycle);
    judged = judge_late(config, state, input, rose, cycle);
    watch(state, LATE & ((uint32_t)judged.trip | state->active), judged, 0, cycle->dt_ms);

    const uint32_t door = config->safe_door == TW_SAFE_WARN ? 0U : TW_SITE_BIT(DOOR);
    cycle->forbidden = (state->active & (TW_SITE_AT(TW_LEVELS_ZERO) | door)) != 0U;
    cycle->halted = (state->active & TW_SITE_AT(TW_LEVELS_STOP)) != 0U;
    cycle->derated = (state->active & TW_SITE_AT(TW_LEVEL_BIT(DERATE))) != 0U;
}
