/* The clever half as the guard calls it: no fault for any input, any view and any state; the whole answer is written. */
#include "wish.h"

#include "../wish.c"

static int64_t any_within(int64_t limit)
{
    int64_t value = nondet_int64();
    GIVEN(among(-limit, value, limit));
    return value;
}

/* What wish.c itself reads of the state; the rest is the others'. */
static void touch(tw_wish_state_t *state)
{
    state->flags = nondet_uint32();
    state->mean_mw = nondet_int64();
}

void tw_measure_delay(tw_wish_state_t *state, const tw_now_t *now)
{
    HOLDS(now_fits(now), "a cycle is within its ranges");
    touch(state);
}

int32_t tw_dead_time_ms(const tw_wish_state_t *state, const tw_now_t *now)
{
    (void)state;
    (void)now;
    return any_between(1, 5000);
}

int64_t tw_misaligned_w(tw_wish_state_t *state, const tw_now_t *now)
{
    HOLDS(now_fits(now), "a cycle is within its ranges");
    touch(state);
    return any_within(WIDE);
}

int64_t tw_asked_for_w(const tw_now_t *now, int64_t load_w, tw_wish_t *wish)
{
    HOLDS(now_fits(now) && among(-TW_LOAD_LIMIT_W, load_w, TW_LOAD_LIMIT_W), "a load is within its range");
    wish->functions |= nondet_uint32();
    return any_within(4 * TW_LOAD_LIMIT_W);
}

int64_t tw_demand_allowed_w(tw_wish_state_t *state, const tw_now_t *now)
{
    HOLDS(now_fits(now), "a cycle is within its ranges");
    touch(state);
    return any_between(0, (int32_t)TW_LOAD_LIMIT_W);
}

static int64_t no_wider(int64_t battery_w)
{
    int64_t wide_w = battery_w < 0 ? -battery_w : battery_w;
    return any_within(wide_w < 4 * TW_LOAD_LIMIT_W ? 4 * TW_LOAD_LIMIT_W : wide_w);
}

int64_t tw_recharged(tw_wish_state_t *state, const tw_now_t *now, int64_t load_w, int64_t battery_w, tw_wish_t *wish)
{
    HOLDS(now_fits(now) && among(-TW_LOAD_LIMIT_W, load_w, TW_LOAD_LIMIT_W) && among(-WIDE, battery_w, WIDE), "as `site functions` has it");
    touch(state);
    wish->functions |= nondet_uint32();
    return no_wider(battery_w);
}

int64_t tw_shaved(const tw_now_t *now, int64_t load_w, int64_t battery_w, int64_t demand_w, tw_wish_t *wish)
{
    HOLDS(now_fits(now) && among(-TW_LOAD_LIMIT_W, load_w, TW_LOAD_LIMIT_W) && among(-WIDE, battery_w, WIDE)
          && among(0, demand_w, TW_LOAD_LIMIT_W), "as `site functions` has it");
    wish->functions |= nondet_uint32();
    return no_wider(battery_w);
}

int64_t tw_centred(tw_wish_state_t *state, const tw_now_t *now, int64_t battery_w, tw_wish_t *wish)
{
    HOLDS(now_fits(now) && among(-4 * TW_LOAD_LIMIT_W, battery_w, 4 * TW_LOAD_LIMIT_W), "as `centre` has it");
    touch(state);
    wish->functions |= nondet_uint32();
    wish->signals |= nondet_uint32();
    return any_within(WIDE / 2);
}

int64_t tw_droop_w(const tw_now_t *now, tw_wish_t *wish)
{
    HOLDS(now_fits(now), "a cycle is within its ranges");
    wish->functions |= nondet_uint32();
    return any_within(4 * TW_LOAD_LIMIT_W);
}

int32_t tw_reactive_permille(const tw_now_t *now, int64_t battery_w, tw_wish_t *wish)
{
    (void)now;
    (void)battery_w;
    wish->functions |= nondet_uint32();
    return nondet_int32();
}

uint32_t tw_genset(tw_wish_state_t *state, const tw_now_t *now)
{
    HOLDS(now_fits(now), "a cycle is within its ranges");
    touch(state);
    return nondet_uint32();
}

int64_t tw_smoothed(tw_wish_state_t *state, const tw_now_t *now, int64_t goal_w, int64_t droop_w, tw_wish_t *wish)
{
    (void)goal_w;
    HOLDS(now_fits(now) && dead_time_fits(now->dead_time_ms) && among(-4 * TW_LOAD_LIMIT_W, droop_w, 4 * TW_LOAD_LIMIT_W),
          "as `smoothed` has it");
    touch(state);
    wish->functions |= nondet_uint32();
    wish->reference_w = nondet_int32();
    wish->period_ms = nondet_int32();
    wish->gain_permille = nondet_int32();
    return any_within(WIDE / 4);
}

void prove_wish(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    GIVEN(config_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    GIVEN(view_fits(&view));
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    tw_wish_t wish = nondet_wish();
    tw_wish(&config, &state, &input, &view, &wish);
    SHOW(battery_w, wish.battery_w);
    HOLDS(among(-TW_LOAD_LIMIT_W, wish.battery_w, TW_LOAD_LIMIT_W), "the wish is a power");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}
