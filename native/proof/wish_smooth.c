/* Smoothing: no fault for any state, with what announcement, predictor and governor promise. */
#include "wish.h"

#include "../smooth.c"

int64_t tw_announced_w(tw_wish_state_t *state, const tw_now_t *now)
{
    (void)now;
    HOLDS(slow_within(state, 4 * TW_LOAD_LIMIT_W), "the slow parts are within their range");
    state->slow_mw = nondet_int64();
    state->slower_mw = nondet_int64();
    state->announced_w = nondet_int32();
    state->announced_left_ms = nondet_int32();
    int64_t announced_w = nondet_int64();
    GIVEN(slow_within(state, 5 * TW_LOAD_LIMIT_W) && among(-ANNOUNCED_LIMIT_W, announced_w, ANNOUNCED_LIMIT_W));
    return announced_w;
}

int64_t tw_predicted(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, bool *agrees)
{
    (void)now;
    HOLDS(among(-32767, deviation, 32767), "a deviation is a count");
    state->period_q8 = nondet_int32();
    *agrees = nondet_bool();
    return nondet_int64();
}

void tw_govern(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, int32_t predicted, int32_t grid, bool agrees)
{
    (void)now;
    (void)agrees;
    HOLDS(among(-32767, deviation, 32767) && among(-32767, predicted, 32767) && among(-32767, grid, 32767), "all are counts");
    state->gain_permille[0] = nondet_int32();
    state->gain_permille[1] = nondet_int32();
    state->blend_permille = nondet_int32();
    GIVEN(gains_fit(state));
}

void prove_smoothed(void)
{
    tw_config_t config;
    GIVEN(site_accepted(&config) && wish_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now) && dead_time_fits(now.dead_time_ms));
    tw_wish_state_t state;
    int64_t goal_w = nondet_int64();
    int64_t droop_w = nondet_int64();
    GIVEN(among(-4 * TW_LOAD_LIMIT_W, droop_w, 4 * TW_LOAD_LIMIT_W));
    tw_wish_t wish = nondet_wish();
    int64_t battery_w = tw_smoothed(&state, &now, goal_w, droop_w, &wish);
    HOLDS(among(-WIDE / 4, battery_w, WIDE / 4), "what smoothing wants is bounded");
    END;
}
