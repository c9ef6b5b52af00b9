/* The clock that every cause runs by, latches and their history: each step of them against the rule, for any state. By induction
 * over cycles: a cause acts only after its condition has held for the on-delay, and a latch ends only by a reset. */
#include "proof.h"

/* One arbitrary cause of an arbitrary set with arbitrary rows, against the handbook's two lines. */
void prove_watch(void)
{
    tw_cause_row_t rows[TW_UNIT_CAUSES];
    int32_t timer_ms[TW_UNIT_CAUSES];
    int32_t k = any_between(0, TW_UNIT_CAUSES - 1);
    int32_t on_ms = any_int32();
    int32_t off_ms = any_int32();
    int32_t before_ms = any_int32();
    int32_t dt_ms = any_between(0, 2000);
    for (int32_t i = 0; i < TW_UNIT_CAUSES; i++) {
        rows[i] = any_row();
        timer_ms[i] = any_int32();
    }
    rows[k].on_ms = on_ms;
    rows[k].off_ms = off_ms;
    timer_ms[k] = before_ms;
    const tw_judged_t judged = {any_uint64(), any_uint64(), any_uint64()};
    uint64_t among = any_uint64();
    uint64_t active = any_uint64();

    uint64_t after = tw_watch(rows, among, &judged, active, timer_ms, dt_ms);

    bool was = ((active >> k) & 1U) != 0U;
    bool is = ((after >> k) & 1U) != 0U;
    bool turns = (((was ? judged.clear : judged.trip) >> k) & 1U) != 0U;
    int32_t delay_ms = !was ? on_ms : ((judged.quick >> k) & 1U) != 0U ? 0 : off_ms;
    int64_t held_ms = (before_ms < 0 ? 0 : (int64_t)before_ms) + dt_ms;
    held_ms = held_ms > TW_AGE_NEVER ? TW_AGE_NEVER : held_ms;
    bool done = turns && held_ms >= delay_ms;
    bool asked = ((among >> k) & 1U) != 0U;
    HOLDS(!asked || is == (was != done), "a cause turns when its condition has held for the delay, and only then");
    HOLDS(!asked || timer_ms[k] == (turns && !done ? held_ms : 0), "its timer counts the condition");
    HOLDS(asked || (is == was && timer_ms[k] == before_ms), "what is not asked stays");
}

/* One unit's latches, and the site's: what was latched stays unless a person resets it after the hold time. */
void prove_latch(void)
{
    tw_config_t config = any_config();
    tw_state_t state = any_state();
    tw_input_t input = any_input();
    tw_facts_t facts[TW_UNITS];
    tw_cycle_t cycle = any_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);
    GIVEN(config.unit_count >= 1 && config.unit_count <= TW_UNITS);
    for (int32_t i = 0; i < TW_UNITS; i++) {
        facts[i] = any_facts();
    }
    int32_t k = any_between(0, TW_UNITS - 1);
    GIVEN(k < config.unit_count);
    const tw_unit_state_t unit = state.unit[k];
    const uint32_t site_latched = state.latched & TW_SITE_LATCHING;
    const int32_t site_clear_ms = state.clear_ms;

    tw_latch(&config, &state, &input, facts, &cycle);

    const tw_unit_state_t *now = &state.unit[k];
    uint64_t had = unit.latched & (TW_UNIT_LATCHING | TW_UNIT_COUNTED);
    uint64_t lost = had & ~now->latched;
    bool may = cycle.reset && now->clear_ms >= config.reset_hold_ms;
    HOLDS(lost == 0U || may, "(f) a latch of a unit ends only by a reset, with its causes gone for the hold time");
    HOLDS(!(lost & TW_UNIT_SERVICED) || unit.mode == TW_MODE_SERVICE, "(f) a dead cell is reset in SERVICE only");
    HOLDS(!(unit.active & TW_UNIT_LATCHING & ~now->latched), "an active cause that latches is latched");
    bool causing = (unit.active & (TW_UNIT_LATCHING | had)) != 0U;
    int64_t clear_ms = (unit.clear_ms < 0 ? 0 : (int64_t)unit.clear_ms) + cycle.dt_ms;
    clear_ms = clear_ms > TW_AGE_NEVER ? TW_AGE_NEVER : clear_ms;
    HOLDS(now->clear_ms == (causing ? 0 : clear_ms), "(f) the hold time counts while no latching cause is active");
    HOLDS((now->latched & ~(TW_UNIT_LATCHING | TW_UNIT_COUNTED)) == 0U, "nothing latches that has no row for it");
    uint64_t fresh = now->latched & ~had;
    HOLDS((fresh & ~(unit.active & TW_UNIT_LATCHING) & ~(facts[k].rose & TW_UNIT_COUNTED)) == 0U,
          "nothing latches that is not active or has not risen");

    uint32_t site_lost = site_latched & ~state.latched;
    bool site_may = cycle.reset && state.clear_ms >= config.reset_hold_ms;
    HOLDS(site_lost == 0U || site_may, "(f) a latch of the site ends only by a reset after the hold time");
    HOLDS(!(state.active & TW_SITE_LATCHING & ~state.latched), "an active site cause that latches is latched");
    int64_t site_ms = (site_clear_ms < 0 ? 0 : (int64_t)site_clear_ms) + cycle.dt_ms;
    site_ms = site_ms > TW_AGE_NEVER ? TW_AGE_NEVER : site_ms;
    bool site_causing = (state.active & TW_SITE_LATCHING) != 0U;
    HOLDS(state.clear_ms == (site_causing ? 0 : site_ms), "(f) the site's hold time counts likewise");
    HOLDS(state.first_out >= -1 && state.first_out_unit >= -1 && state.first_out_unit < config.unit_count
          && state.first_out < (state.first_out_unit == -1 ? TW_SITE_CAUSES : TW_UNIT_CAUSES), "first out is a cause");
}

void prove_third(void)
{
    int32_t recent_ms[2] = {any_int32(), any_int32()};
    int64_t last_ms = recent_ms[0] < 0 ? 0 : recent_ms[0];
    int64_t before_ms = recent_ms[1] < 0 ? 0 : recent_ms[1];
    int32_t dt_ms = any_between(0, 2000);
    bool rose = any_bool();
    bool third = tw_third_within_hour(recent_ms, rose, dt_ms);
    HOLDS(third == (rose && before_ms + dt_ms < 3600000), "it latches when the last but one rise was within the hour");
    int64_t last_now_ms = last_ms + dt_ms > TW_AGE_NEVER ? TW_AGE_NEVER : last_ms + dt_ms;
    HOLDS(recent_ms[0] == (rose ? 0 : last_now_ms), "the last rise is remembered");
    HOLDS(!rose || recent_ms[1] == last_now_ms, "the one before, too");
}
