/* Latches: a cause that stopped something for good. It ends only with the cause gone, a hold time, and a reset by a person; and
 * which cause was first is kept, because the others often only follow from it. */
#include "inner.h"

#define HOUR_MS 3600000
#define EMERGENCIES (TW_SITE_BIT(ESTOP) | TW_SITE_BIT(SMOKE))

static inline bool never(const int32_t recent_ms[2])
{
    return recent_ms[0] == TW_AGE_NEVER && recent_ms[1] == TW_AGE_NEVER;
}

bool tw_third_within_hour(int32_t recent_ms[2], bool rose, int32_t dt_ms)
{
    recent_ms[0] = tw_longer(recent_ms[0], dt_ms);
    recent_ms[1] = tw_longer(recent_ms[1], dt_ms);
    if (!rose) {
        return false;
    }
    bool third = recent_ms[1] < HOUR_MS;
    recent_ms[1] = recent_ms[0];
    recent_ms[0] = 0;
    return third;
}

/* Causes that are forgiven twice an hour: those of them that have just risen for the third time. */
static uint64_t too_often(tw_unit_state_t *unit, uint64_t rose, int32_t dt_ms)
{
    if (!(rose & TW_UNIT_COUNTED) && never(unit->recent_ms[0]) && never(unit->recent_ms[1]) && never(unit->recent_ms[2])) {
        return 0; /* as nearly always: nothing to count */
    }
    const uint64_t group[TW_HOURLY] = {TW_UNIT_OF_HOUR(0), TW_UNIT_OF_HOUR(1), TW_UNIT_OF_HOUR(2)};
    uint64_t found = 0;
    for (int32_t i = 0; i < TW_HOURLY; i++) {
        uint64_t among = rose & group[i];
        found |= tw_third_within_hour(unit->recent_ms[i], among != 0U, dt_ms) ? among : 0U;
    }
    return found;
}

/* Returns what has latched in this cycle. */
static uint64_t latch_unit(const tw_config_t *config, tw_unit_state_t *unit, uint64_t rose, const tw_cycle_t *cycle)
{
    uint64_t latched = unit->latched & (TW_UNIT_LATCHING | TW_UNIT_COUNTED);
    uint64_t causing = unit->active & (TW_UNIT_LATCHING | latched);
    unit->clear_ms = causing != 0U ? 0 : tw_longer(unit->clear_ms, cycle->dt_ms);
    if (cycle->reset && unit->clear_ms >= config->reset_hold_ms && latched != 0U) {
        latched &= unit->mode == TW_MODE_SERVICE ? 0U : TW_UNIT_SERVICED; /* a dead cell: not from the console alone */
        unit->tries = latched != 0U ? unit->tries : 0;
    }
    uint64_t now = (unit->active & TW_UNIT_LATCHING) | too_often(unit, rose, cycle->dt_ms);
    unit->latched = latched | now;
    return now & ~latched;
}

static uint32_t latch_site(const tw_config_t *config, tw_state_t *state, const tw_cycle_t *cycle)
{
    uint32_t latched = state->latched & TW_SITE_LATCHING;
    uint32_t now = state->active & TW_SITE_LATCHING;
    state->clear_ms = now != 0U ? 0 : tw_longer(state->clear_ms, cycle->dt_ms);
    if (cycle->reset && state->clear_ms >= config->reset_hold_ms) {
        state->held = (latched & EMERGENCIES) != 0U ? 1U : state->held; /* a reset makes a start possible, and gives none */
        latched = 0;
    }
    state->latched = latched | now;
    return now & ~latched;
}

static int32_t lowest(uint64_t set)
{
    int32_t index = 0;
    while (index < 63 && ((set >> index) & 1U) == 0U) {
        index++;
    }
    return index;
}

static void forget_first_out(tw_state_t *state)
{
    state->first_out = -1;
    state->first_out_unit = -1;
    state->first_out_mono_ms = 0;
}

static void note_first_out(tw_state_t *state, const tw_input_t *input, uint64_t fresh, int32_t unit)
{
    if (fresh != 0U && state->first_out == -1) {
        state->first_out = lowest(fresh); /* several in one cycle: the lowest, always the same one */
        state->first_out_unit = unit;
        state->first_out_mono_ms = input->mono_ms;
    }
}

static bool first_out_is_one(const tw_config_t *config, const tw_state_t *state)
{
    int32_t unit = state->first_out_unit;
    int32_t count = unit == -1 ? (int32_t)TW_SITE_CAUSES : (int32_t)TW_UNIT_CAUSES;
    return unit >= -1 && unit < config->unit_count && state->first_out >= 0 && state->first_out < count;
}

void tw_latch(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
              tw_cycle_t *cycle)
{
    if (!first_out_is_one(config, state)) {
        forget_first_out(state);
    }
    note_first_out(state, input, latch_site(config, state, cycle), -1);
    bool any = state->latched != 0U;
    bool all = true;
    for (int32_t i = 0; i < config->unit_count; i++) {
        tw_unit_state_t *unit = &state->unit[i];
        note_first_out(state, input, latch_unit(config, unit, facts[i].rose, cycle), i);
        any = any || unit->latched != 0U;
        all = all && unit->latched != 0U;
    }
    if (!any) {
        forget_first_out(state);
    }
    cycle->latched = state->latched != 0U || all;
}
