/* One unit: what its devices say becomes causes, and causes become limits. Stale, missing or implausible values, and a cell at its
 * stop, leave nothing to charge or discharge; whatever the division answers. */
#include "part.h"

uint64_t any_watch(const tw_cause_row_t *rows, uint64_t among, tw_judged_t judged, uint64_t quick, uint64_t active,
                   int32_t *timer_ms, int32_t dt_ms);

#include "../interlock.c"
#include "../limit.c"

#define INSTANT_TERM(unused, name, level, latch, hourly, reset, on, off) | ((on) == 0 ? TW_UNIT_BIT(name) : UINT64_C(0))
#define INSTANT (UINT64_C(0) TW_UNIT_CAUSE_LIST(INSTANT_TERM, 0))

/* What `watch` proves of tw_watch with the rows of the kernel: nothing turns but by its condition, and what has no on-delay turns
 * at once. */
uint64_t any_watch(const tw_cause_row_t *rows, uint64_t among, tw_judged_t judged, uint64_t quick, uint64_t active,
                   int32_t *timer_ms, int32_t dt_ms)
{
    (void)rows;
    (void)quick;
    (void)dt_ms;
    HOLDS((judged.trip & judged.clear) == 0U, "no cause trips and is clear at once");
    uint64_t after = nondet_uint64();
    GIVEN((after & ~active & ~(judged.trip & among)) == 0U);
    GIVEN((active & ~after & ~(judged.clear & among)) == 0U);
    GIVEN((judged.trip & among & INSTANT & ~after) == 0U);
    for (int32_t i = 0; i < TW_UNIT_CAUSES; i++) {
        timer_ms[i] = nondet_int32();
    }
    return after;
}

void prove_unit_causes(void)
{
    tw_config_t config;
    config.unit[0] = nondet_unit_config();
    config.connect_max_ms = nondet_int32();
    config.start_max_ms = nondet_int32();
    config.stop_max_ms = nondet_int32();
    const tw_unit_config_t *unit = &config.unit[0];
    GIVEN(unit_accepted(unit));
    tw_unit_state_t state = nondet_unit_state();
    tw_unit_input_t input = nondet_unit_input();
    const tw_unit_state_t before = state;
    uint32_t commands = nondet_uint32();
    int32_t dt_ms = any_between(0, 2000);
    tw_facts_t facts;

    look_at(&config, 0, &state, &input, commands, dt_ms, &facts);

    SHOW(bms_age_ms, input.bms_age_ms);
    SHOW(bms_age_max_ms, unit->bms_age_max_ms);
    SHOW(pcs_age_ms, input.pcs_age_ms);
    SHOW(soc_cpct, input.soc_cpct);
    SHOW(active, state.active);
    HOLDS(fresh_is_young(unit, &input, &facts), "(d) a fresh device has an age, and it is within its limit");
    HOLDS(missing_is_a_cause(&state, &facts), "(d) a stale device and missing values are a cause at once");
    HOLDS(plausible_is_in_range(&input, &facts), "(d) plausible values are fresh and in range");
    HOLDS(causes_only(&before, &state), "causes change no latch, mode, limit or setpoint, and none is active that nothing judges");
    HOLDS(!facts.bms_fresh || input.bms_heartbeat == TW_UNKNOWN || state.heartbeat_ms <= unit->heartbeat_max_ms
          || state.heartbeat_ms <= unit->bms_age_max_ms, "(d) a BMS whose counter stands still is not fresh");
    HOLDS(!facts.plausible || input.soc_cpct > unit->soc_min_cpct || (state.active & BIT(SOC_LOW)) != 0U,
          "(g) at soc_min a cause forbids to discharge");
    HOLDS(!facts.plausible || input.soc_cpct < tw_soc_top(unit, commands) || (state.active & BIT(SOC_HIGH)) != 0U,
          "(g) at soc_max a cause forbids to charge");
    HOLDS(!facts.plausible || input.cell_temp_max_dc < unit->temp_max_dc || (state.active & BIT(TEMP_HIGH)) != 0U,
          "(g) a cell too warm is a cause");
    HOLDS(!facts.plausible || input.cell_temp_min_dc > unit->temp_min_dc || (state.active & BIT(TEMP_LOW)) != 0U,
          "(g) a cell too cold is a cause");
    HOLDS(facts.rose == (state.active & ~(before.active & TW_UNIT_JUDGED)), "what rose is what is new");
    END;
}

static void falls(const int32_t *after_w, int32_t rating_w)
{
    HOLDS(after_w[0] == rating_w, "(a) a unit's bounds begin with its rating");
    for (int32_t i = 1; i < TW_BOUNDS; i++) {
        HOLDS(after_w[i] >= 0 && after_w[i] <= after_w[i - 1], "(a) no bound is above the one before, none below 0");
    }
}

void prove_unit_limits(void)
{
    tw_unit_config_t config = nondet_unit_config();
    GIVEN(unit_accepted(&config));
    tw_unit_state_t state = nondet_unit_state();
    const tw_unit_state_t before = state;
    tw_unit_input_t input = nondet_unit_input();
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);
    uint32_t commands = nondet_uint32();
    const tw_facts_t facts = {.bms_fresh = true, .plausible = nondet_bool()};
    GIVEN(plausible_is_in_range(&input, &facts) && (!facts.plausible || tw_plausible(&input)));
    tw_unit_output_t output = nondet_unit_output();
    const tw_unit_output_t was = output;

    SHOW(plausible, facts.plausible ? 1 : 0);
    SHOW(cell_voltage_max_mv, input.cell_voltage_max_mv);
    bound_unit(&config, &state, &input, commands, facts.plausible, &cycle, &output);

    SHOW(charge_max_w, output.charge_max_w);
    SHOW(discharge_max_w, output.discharge_max_w);
    SHOW(soc_cpct, input.soc_cpct);
    SHOW(mode, state.mode);
    SHOW(latched, state.latched);
    falls(output.charge_after_w, config.power_charge_max_w);
    falls(output.discharge_after_w, config.power_discharge_max_w);
    HOLDS(output.charge_max_w == output.charge_after_w[TW_BOUND_RISE]
          && output.discharge_max_w == output.discharge_after_w[TW_BOUND_RISE], "(a) the band is the last bound");
    HOLDS(within_rating(&config, &output), "(a) the band is within the rating");
    HOLDS(forbidden_is_zero(&state, facts.plausible, &cycle, &output),
          "(d) (e) (f) no power unless usable, plausible, in RUN, not latched, and not forbidden by a cause");
    HOLDS(stops_are_zero(&config, &input, commands, &output),
          "(g) no charge at or above soc_max, a full or a cold cell; no discharge at or below soc_min, an empty or a hot one");
    HOLDS(limits_only(&before, &state) && output.mode == was.mode && output.event == was.event, "limits change nothing else");
    END;
}

/* Limits rise no faster than configured: one step of it. */
void prove_rise(void)
{
    int64_t limit_mw = nondet_int64();
    const int64_t most_mw = (int64_t)TW_POWER_LIMIT_W * 1000;
    const int64_t before_mw = limit_mw < 0 ? 0 : limit_mw > most_mw ? most_mw : limit_mw;
    int32_t w = any_between(0, TW_POWER_LIMIT_W);
    int32_t rise_w_per_s = any_between(1, TW_POWER_LIMIT_W);
    int32_t dt_ms = any_between(0, 2000);
    int32_t bound_w = rise(&limit_mw, w, rise_w_per_s, dt_ms);
    SHOW(before_mw, before_mw);
    SHOW(limit_mw, limit_mw);
    SHOW(rise_w_per_s, rise_w_per_s);
    SHOW(dt_ms, dt_ms);
    HOLDS(bound_w >= 0 && bound_w <= w, "(a) the slewed bound is within the bound before it");
    HOLDS(limit_mw >= 0 && limit_mw <= (int64_t)w * 1000, "what has risen is kept within the bound");
    HOLDS(limit_mw <= before_mw + (int64_t)rise_w_per_s * dt_ms, "limits rise no faster than configured");
    END;
}
