/* The clock that every cause runs by, latches and their history: each step of them against the rule, for any state. By induction
 * over cycles: a cause acts only after its condition has held for the on-delay, and a latch ends only by a reset. */
#include "promises.h"

/* what stands for others in some of the proofs */
uint64_t any_latch_unit(const tw_config_t *config, tw_unit_state_t *unit, uint64_t rose, const tw_cycle_t *cycle);
int32_t any_lowest(uint64_t set);

#include "../latch.c"

void prove_longer(void)
{
    int32_t before_ms = nondet_int32();
    int32_t dt_ms = any_between(0, 2000);
    SHOW(before_ms, before_ms);
    SHOW(dt_ms, dt_ms);
    HOLDS(tw_longer(before_ms, dt_ms) == grown_ms(before_ms, dt_ms), "a duration grows by dt, saturates, is never negative");
    END;
}

/* Every cause of an arbitrary set with arbitrary rows, against the handbook's two lines. */
void prove_watch(void)
{
    tw_cause_row_t rows[TW_UNIT_CAUSES];
    int32_t before_ms[TW_UNIT_CAUSES];
    int32_t timer_ms[TW_UNIT_CAUSES];
    for (int32_t i = 0; i < TW_UNIT_CAUSES; i++) {
        rows[i] = nondet_row();
        timer_ms[i] = before_ms[i] = nondet_int32();
    }
    int32_t dt_ms = any_between(0, 2000);
    const tw_judged_t judged = {nondet_uint64(), nondet_uint64()};
    uint64_t quick = nondet_uint64();
    uint64_t among = nondet_uint64();
    uint64_t active = nondet_uint64();
    GIVEN(((among >> (TW_UNIT_CAUSES - 1)) & 1U) != 0U); /* the loop ends early only where nothing more is asked */

    uint64_t after = tw_watch(rows, among, judged, quick, active, timer_ms, dt_ms);

    bool turned = true;
    bool counted = true;
    for (int32_t k = 0; k < TW_UNIT_CAUSES; k++) {
        bool was = ((active >> k) & 1U) != 0U;
        bool is = ((after >> k) & 1U) != 0U;
        bool turns = (((was ? judged.clear : judged.trip) >> k) & 1U) != 0U;
        int32_t delay_ms = !was ? rows[k].on_ms : ((quick >> k) & 1U) != 0U ? 0 : rows[k].off_ms;
        int32_t longer_ms = tw_longer(before_ms[k], dt_ms);
        bool done = turns && longer_ms >= delay_ms;
        bool asked = ((among >> k) & 1U) != 0U;
        int32_t rule_ms = turns && !done ? longer_ms : 0;
        turned = turned && is == (asked ? was != done : was);
        counted = counted && timer_ms[k] == (asked ? rule_ms : before_ms[k]);
    }
    HOLDS(turned, "a cause turns when its condition has held for the delay, and only then");
    HOLDS(counted, "its timer counts the condition");
    END;
}

void prove_third(void)
{
    int32_t recent_ms[2] = {nondet_int32(), nondet_int32()};
    int32_t dt_ms = any_between(0, 2000);
    int32_t last_ms = grown_ms(recent_ms[0], dt_ms);
    int32_t before_ms = grown_ms(recent_ms[1], dt_ms);
    bool rose = nondet_bool();
    bool third = tw_third_within_hour(recent_ms, rose, dt_ms);
    HOLDS(third == (rose && before_ms < HOUR_MS), "it latches when the last but one rise was within the hour");
    HOLDS(recent_ms[0] == (rose ? 0 : last_ms), "the last rise is remembered");
    HOLDS(recent_ms[1] == (rose ? last_ms : before_ms), "the one before, too");
    END;
}

/* What was latched stays unless a person resets it after the hold time; what latches is active and has a row for it. */
void prove_latch_unit(void)
{
    tw_config_t config;
    config.reset_hold_ms = any_between(1, INT32_MAX);
    tw_unit_state_t unit = nondet_unit_state();
    const tw_unit_state_t before = unit;
    uint64_t rose = nondet_uint64();
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);

    uint64_t fresh = latch_unit(&config, &unit, rose, &cycle);

    uint64_t lost = before.latched & UNIT_CAN_LATCH & ~unit.latched;
    SHOW(lost, lost);
    SHOW(clear_ms, unit.clear_ms);
    SHOW(reset_hold_ms, config.reset_hold_ms);
    SHOW(reset, cycle.reset ? 1 : 0);
    HOLDS(unit_latch_kept(&config, &before, &unit, &cycle),
          "(f) a latch ends only by a reset, with its cause gone for the hold time; a dead cell in SERVICE only");
    HOLDS(unit_hold_time_counts(&before, &unit, cycle.dt_ms), "(f) the hold time counts while no latching cause is active");
    HOLDS(unit_latches(&before, &unit), "(f) an active cause that latches is latched, and nothing that has no row for it");
    HOLDS(latch_only(&before, &unit), "nothing else changes");
    HOLDS(!(unit.latched & ~before.latched & ~(before.active & TW_UNIT_LATCHING) & ~(rose & TW_UNIT_COUNTED)),
          "nothing latches that is not active or has not risen");
    HOLDS(!(fresh & ~unit.latched), "what is told as newly latched is latched");
    END;
}

void prove_latch_site(void)
{
    tw_config_t config;
    config.reset_hold_ms = nondet_int32();
    tw_state_t state;
    state.latched = nondet_uint32();
    state.active = nondet_uint32();
    state.clear_ms = nondet_int32();
    state.held = nondet_uint32();
    const uint32_t had = state.latched & TW_SITE_LATCHING;
    const int32_t before_ms = state.clear_ms;
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);

    (void)latch_site(&config, &state, &cycle);

    SHOW(lost, had & ~state.latched);
    SHOW(clear_ms, state.clear_ms);
    SHOW(reset, cycle.reset ? 1 : 0);
    HOLDS(site_latch_kept(&config, had, state.latched, state.clear_ms, &cycle),
          "(f) a latch of the site ends only by a reset after the hold time");
    HOLDS(!(had & ~state.latched & (SITE(ESTOP) | SITE(SMOKE))) || state.held == 1U, "(f) after an emergency a reset starts nothing");
    HOLDS(site_latches(state.active, state.latched), "(f) an active site cause that latches is latched, and no other");
    bool causing = (state.active & TW_SITE_LATCHING) != 0U;
    HOLDS(state.clear_ms == (causing ? 0 : grown_ms(before_ms, cycle.dt_ms)), "(f) the hold time counts likewise");
    END;
}

/* What stands for latch_unit in the next proof: all that was proved of it. */
uint64_t any_latch_unit(const tw_config_t *config, tw_unit_state_t *unit, uint64_t rose, const tw_cycle_t *cycle)
{
    (void)config;
    (void)rose;
    (void)cycle;
    unit->latched = nondet_uint64() & UNIT_CAN_LATCH;
    return nondet_uint64() & unit->latched;
}

int32_t any_lowest(uint64_t set)
{
    (void)set;
    return any_between(0, TW_UNIT_CAUSES - 1);
}

void prove_lowest(void)
{
    uint64_t set = nondet_uint64();
    GIVEN(set != 0U && (set >> TW_UNIT_CAUSES) == 0U);
    int32_t index = lowest(set);
    HOLDS(index >= 0 && index < TW_UNIT_CAUSES, "the lowest of a set of causes is a cause");
    HOLDS(((set >> index) & 1U) != 0U && (set & ((UINT64_C(1) << index) - 1U)) == 0U, "and no other is lower");
    END;
}

/* A cause of the site is below TW_SITE_CAUSES: the site's set has 32 bits. */
void prove_first_out(void)
{
    tw_config_t config;
    config.unit_count = any_between(1, TW_UNITS);
    config.reset_hold_ms = nondet_int32();
    tw_state_t state = nondet_state();
    tw_input_t input;
    input.mono_ms = nondet_int64();
    tw_facts_t facts[TW_UNITS];
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);

    tw_latch(&config, &state, &input, facts, &cycle);

    bool any = state.latched != 0U;
    bool all = true;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        any = any || (i < config.unit_count && state.unit[i].latched != 0U);
        all = all && (i >= config.unit_count || state.unit[i].latched != 0U);
    }
    SHOW(first_out, state.first_out);
    SHOW(first_out_unit, state.first_out_unit);
    HOLDS((state.first_out == -1) == (state.first_out_unit == -1 && state.first_out == -1)
          && state.first_out_unit >= -1 && state.first_out_unit < config.unit_count
          && state.first_out < (int32_t)TW_UNIT_CAUSES,
          "first out is a cause of a unit or of the site, or none");
    HOLDS(any || state.first_out == -1, "nothing latched: no first out");
    HOLDS(cycle.latched == (state.latched != 0U || all), "the site counts as latched when it is, or every unit");
    END;
}
