/* Smoothing: no fault for any state, with what announcement, predictor and governor promise. In parts: each multiplies something, and
 * a solver takes one product at a time. */
#include "wish.h"

int64_t any_fast(int64_t direct_w, int32_t gain, int64_t repeat_w, int32_t repeat_gain, int32_t blend);
int32_t any_counts(const tw_now_t *now, int64_t power_w);
void any_follow(tw_wish_state_t *state, const tw_now_t *now);
int64_t any_estimate(tw_wish_state_t *state, const tw_now_t *now, tw_wish_t *wish);
void any_reference(tw_wish_state_t *state, const tw_now_t *now, int64_t goal_w, tw_wish_t *wish);
void any_correct(tw_wish_state_t *state, const tw_now_t *now, int64_t battery_w, int64_t droop_w);

#define FAST_W (INT64_C(1) << 34)      /* what the parts of the estimate may be */
#define FAST_MW (INT64_C(1) << 46)     /* weak: what they make */
#define ESTIMATE_W (INT64_C(1) << 40)
#define ESTIMATE_MW (ESTIMATE_W * 1000)
#define REFERENCE_MW (TW_LOAD_LIMIT_W * 6000)

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
    HOLDS(gains_fit(state) && doubt_fits(state), "gains, blend and distrust are permille");
    state->gain_permille[0] = nondet_int32();
    state->gain_permille[1] = nondet_int32();
    state->blend_permille = nondet_int32();
    GIVEN(gains_fit(state));
}

static bool fast_fits(int64_t direct_w, int32_t gain, int64_t repeat_w, int32_t repeat_gain, int32_t blend)
{
    return among(-FAST_W, direct_w, FAST_W) && among(-FAST_W, repeat_w, FAST_W) && among(-1000, gain, 1000)
        && among(-1000, repeat_gain, 1000) && among(0, blend, 1000);
}

int64_t any_fast(int64_t direct_w, int32_t gain, int64_t repeat_w, int32_t repeat_gain, int32_t blend)
{
    HOLDS(fast_fits(direct_w, gain, repeat_w, repeat_gain, blend), "parts of the estimate are within their range");
    int64_t fast = nondet_int64();
    GIVEN(among(-FAST_MW, fast, FAST_MW));
    return fast;
}

int32_t any_counts(const tw_now_t *now, int64_t power_w)
{
    (void)now;
    HOLDS(among(-ESTIMATE_W, power_w, ESTIMATE_W), "a power can be counted");
    return any_between(-32767, 32767);
}

void any_follow(tw_wish_state_t *state, const tw_now_t *now)
{
    (void)now;
    state->mean_mw = nondet_int64();
    state->slow_mw = nondet_int64();
    state->slower_mw = nondet_int64();
    state->flags = nondet_uint32();
    state->seen_ms = nondet_int32();
    GIVEN(slow_within(state, 4 * TW_LOAD_LIMIT_W));
}

int64_t any_estimate(tw_wish_state_t *state, const tw_now_t *now, tw_wish_t *wish)
{
    (void)now;
    HOLDS(slow_within(state, 4 * TW_LOAD_LIMIT_W), "the slow parts are within their range");
    state->announced_left_ms = nondet_int32();
    state->held_mw = nondet_int64();
    wish->functions |= nondet_uint32();
    int64_t estimate = nondet_int64();
    GIVEN(among(-ESTIMATE_MW, estimate, ESTIMATE_MW));
    return estimate;
}

void any_reference(tw_wish_state_t *state, const tw_now_t *now, int64_t goal_w, tw_wish_t *wish)
{
    (void)now;
    HOLDS(among(-4 * TW_LOAD_LIMIT_W, goal_w, 4 * TW_LOAD_LIMIT_W) && among(-4000 * TW_LOAD_LIMIT_W, state->reference_mw, 4000 * TW_LOAD_LIMIT_W),
          "reference and goal are within their range");
    wish->functions |= nondet_uint32();
    state->reference_mw = nondet_int64();
    GIVEN(among(-REFERENCE_MW, state->reference_mw, REFERENCE_MW));
}

static bool can_correct(const tw_wish_state_t *state, int64_t battery_w, int64_t droop_w)
{
    return among(-REFERENCE_MW, state->reference_mw, REFERENCE_MW)
        && among(-4000 * TW_LOAD_LIMIT_W, state->trim_mw, 4000 * TW_LOAD_LIMIT_W)
        && among(-2 * ESTIMATE_W, battery_w, 2 * ESTIMATE_W) && among(-4 * TW_LOAD_LIMIT_W, droop_w, 4 * TW_LOAD_LIMIT_W);
}

void any_correct(tw_wish_state_t *state, const tw_now_t *now, int64_t battery_w, int64_t droop_w)
{
    (void)now;
    HOLDS(can_correct(state, battery_w, droop_w), "what is corrected is within its range");
    state->reference_mw = nondet_int64();
    state->trim_mw = nondet_int64();
}

static tw_config_t config;
static tw_input_t input;
static tw_view_t view;

static tw_now_t smooth_now(void)
{
    tw_config_t any;
    config = any;
    view = nondet_view();
    GIVEN(site_accepted(&config) && wish_accepted(&config));
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now) && dead_time_fits(now.dead_time_ms));
    return now;
}

void prove_parts(void)
{
    tw_now_t now = smooth_now();
    int64_t direct_w = nondet_int64();
    int64_t repeat_w = nondet_int64();
    int32_t gain = nondet_int32();
    int32_t repeat_gain = nondet_int32();
    int32_t blend = nondet_int32();
    GIVEN(fast_fits(direct_w, gain, repeat_w, repeat_gain, blend));
    HOLDS(among(-FAST_MW, fast_mw(direct_w, gain, repeat_w, repeat_gain, blend), FAST_MW), "the fast part is bounded");
    int64_t power_w = nondet_int64();
    GIVEN(among(-ESTIMATE_W, power_w, ESTIMATE_W));
    HOLDS(among(-32767, counts(&now, power_w), 32767), "a count is one");
    END;
}

void prove_follow(void)
{
    tw_now_t now = smooth_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    follow_load(&state, &now);
    HOLDS(slow_within(&state, 4 * TW_LOAD_LIMIT_W), "the slow parts are within their range");
    HOLDS(state.reference_mw == before.reference_mw && state.trim_mw == before.trim_mw, "the reference waits");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_estimate(void)
{
    tw_now_t now = smooth_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    GIVEN(slow_within(&state, 4 * TW_LOAD_LIMIT_W));
    tw_wish_t wish = nondet_wish();
    HOLDS(among(-ESTIMATE_MW, estimate_mw(&state, &now, &wish), ESTIMATE_MW), "the estimate is bounded");
    HOLDS(state.reference_mw == before.reference_mw && state.trim_mw == before.trim_mw && state.flags == before.flags, "the reference waits");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_reference(void)
{
    tw_now_t now = smooth_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    tw_wish_t wish = nondet_wish();
    int64_t goal_w = nondet_int64();
    GIVEN(among(-4 * TW_LOAD_LIMIT_W, goal_w, 4 * TW_LOAD_LIMIT_W) && among(-4000 * TW_LOAD_LIMIT_W, state.reference_mw, 4000 * TW_LOAD_LIMIT_W));
    const int64_t before_mw = state.reference_mw;
    move_reference(&state, &now, goal_w, &wish);
    SHOW(before_mw, before_mw);
    SHOW(reference_mw, state.reference_mw);
    HOLDS(among(-REFERENCE_MW, state.reference_mw, REFERENCE_MW), "the reference is bounded");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_correct(void)
{
    tw_now_t now = smooth_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    int64_t battery_w = nondet_int64();
    int64_t droop_w = nondet_int64();
    GIVEN(can_correct(&state, battery_w, droop_w));
    correct(&state, &now, battery_w, droop_w);
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_smoothed(void)
{
    tw_now_t now = smooth_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    int64_t droop_w = nondet_int64();
    GIVEN(among(-4 * TW_LOAD_LIMIT_W, droop_w, 4 * TW_LOAD_LIMIT_W));
    tw_wish_t wish = nondet_wish();
    int64_t battery_w = tw_smoothed(&state, &now, nondet_int64(), droop_w, &wish);
    HOLDS(among(-WIDE / 4, battery_w, WIDE / 4), "what smoothing wants is bounded");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}
