/* Causes of the site, and the limit of PV: silence, clock, commands and alarms are causes in the same cycle, and what they forbid is
 * told; nothing else moves. */
#include "part.h"

uint64_t any_watch(const tw_cause_row_t *rows, uint64_t among, tw_judged_t judged, uint64_t quick, uint64_t active,
                   int32_t *timer_ms, int32_t dt_ms);

#include "../curtail.c"
#include "../site.c"

#define INSTANT_TERM(unused, name, level, latch, hourly, reset, on, off) | ((on) == 0 ? TW_SITE_BIT(name) : 0U)
#define INSTANT (0U TW_SITE_CAUSE_LIST(INSTANT_TERM, 0))

/* What `watch` proves of tw_watch with the site's rows. */
uint64_t any_watch(const tw_cause_row_t *rows, uint64_t among, tw_judged_t judged, uint64_t quick, uint64_t active,
                   int32_t *timer_ms, int32_t dt_ms)
{
    (void)rows;
    (void)quick;
    (void)dt_ms;
    HOLDS((judged.trip & judged.clear) == 0U, "no cause trips and is clear at once");
    HOLDS((judged.trip >> TW_SITE_CAUSES) == 0U && (active >> TW_SITE_CAUSES) == 0U, "every cause is one");
    uint64_t after = nondet_uint64();
    GIVEN((after & ~active & ~(judged.trip & among)) == 0U);
    GIVEN((active & ~after & ~(judged.clear & among)) == 0U);
    GIVEN((judged.trip & among & INSTANT & ~after) == 0U);
    for (int32_t i = 0; i < TW_SITE_CAUSES; i++) {
        timer_ms[i] = nondet_int32();
    }
    return after;
}

bool tw_third_within_hour(int32_t recent_ms[2], bool rose, int32_t dt_ms)
{
    (void)rose;
    (void)dt_ms;
    recent_ms[0] = nondet_int32();
    recent_ms[1] = nondet_int32();
    return nondet_bool();
}

const tw_cause_row_t *tw_site_rows(void)
{
    return (void *)0; /* any_watch does not look */
}

void prove_site_causes(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    GIVEN(site_accepted(&config));
    tw_state_t state;
    const tw_state_t before = state;
    tw_input_t input;
    tw_facts_t facts[TW_UNITS];
    for (int32_t i = 0; i < UNIT_COUNT; i++) {
        facts[i] = nondet_facts();
    }
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);
    const tw_cycle_t was = cycle;

    tw_site_causes(&config, &state, &input, facts, &cycle);

    SHOW(active, state.active);
    SHOW(poc_fresh, cycle.poc_fresh ? 1 : 0);
    SHOW(clock_bad, cycle.clock_bad ? 1 : 0);
    SHOW(commands, input.commands);
    SHOW(forbidden, cycle.forbidden ? 1 : 0);
    HOLDS(site_missing_is_a_cause(&input, &cycle, state.active), "(d) silence, clock, emergency stop, hold are causes at once");
    HOLDS(forbidden_is_told(&config, &cycle, state.active), "(d) what the causes forbid is told, and no cause is active that nothing judges");
    bool same = state.latched == before.latched && state.clear_ms == before.clear_ms && state.config_sum == before.config_sum
        && state.cycle_count == before.cycle_count && state.commands == before.commands && state.mono_ms == before.mono_ms
        && cycle.dt_ms == was.dt_ms && cycle.poc_fresh == was.poc_fresh && cycle.clock_bad == was.clock_bad
        && cycle.reset == was.reset && cycle.io == was.io;
    for (int32_t i = 0; i < UNIT_COUNT; i++) {
        same = same && state.unit[i].latched == before.unit[i].latched && state.unit[i].active == before.unit[i].active
            && state.unit[i].mode == before.unit[i].mode && state.unit[i].setpoint_w == before.unit[i].setpoint_w;
    }
    HOLDS(same, "causes of the site change no latch, no unit, and nothing that was known of the cycle");
    END;
}

void prove_curtail(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    GIVEN(site_accepted(&config));
    tw_state_t state;
    tw_input_t input;
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);
    tw_output_t output;
    output.battery_w = any_between(-TW_BATTERY_LIMIT_W, TW_BATTERY_LIMIT_W);
    output.net_load_w = any_between(-9 * TW_POWER_LIMIT_W, 9 * TW_POWER_LIMIT_W);
    const int32_t battery_w = output.battery_w;
    tw_curtail(&config, &state, &input, &cycle, &output);
    bool lost = (state.active & SITE(POC_STALE)) != 0U;
    SHOW(pv_limit_w, output.pv_limit_w);
    HOLDS(output.pv_limit_w >= 0 && output.pv_limit_w <= config.pv_rated_w, "the PV limit is within its rating");
    HOLDS(!lost || output.pv_limit_w <= config.pv_lost_max_w, "(d) with a silent POC meter PV keeps to what is set for that");
    HOLDS(state.pv_limit_w == output.pv_limit_w && output.battery_w == battery_w, "the battery is left alone");
    END;
}
