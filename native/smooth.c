/* Smoothing: the grid follows a reference whose slope is limited, and the battery carries the rest of the load.
 *
 * The reference goes to the *mean* of the load (one that chased the load at its limit would follow the median, and a load
 * with short dips would fill the battery). The load itself is estimated as its slow part plus as much of the fast part as
 * the governor allows, plus what is announced. A slow trim takes away what is left between meter and reference. */
#include "wish.h"

#define MEAN_MS 60000
#define SLOW_MS 16000       /* twice: 0.02 Hz, and next to nothing left of 0.2 Hz */
#define TRIM_MS 100000
#define TRIM_PART 20       /* the trim is at most a twentieth of the rating */
#define BOUND_MS 5000      /* at a bound, the reference gives way to what the grid really does */
#define ONE 1000

/* The low-passes see every measured cycle, whether the battery may be used or not. */
static void follow_load(tw_wish_state_t *state, const tw_now_t *now)
{
    const int64_t limit_mw = TW_LOAD_LIMIT_W * 4000;
    int64_t load_mw = now->load_w * 1000;
    int32_t seen_ms = (state->flags & (uint32_t)TW_WISH_STARTED) == 0 ? 0 : tw_within32(state->seen_ms, 0, MEAN_MS);
    state->flags |= (uint32_t)TW_WISH_STARTED;
    state->seen_ms = seen_ms < MEAN_MS ? seen_ms + now->dt_ms : MEAN_MS;
    if (seen_ms == 0) {
        state->mean_mw = state->slow_mw = state->slower_mw = load_mw;
        return;
    }
    /* Before the battery is used, the mean of what has been seen; a quick low-pass in use would pass what swings. */
    int32_t slow_ms = seen_ms < SLOW_MS && !now->usable ? seen_ms : SLOW_MS;
    state->mean_mw = tw_towards(tw_sane(state->mean_mw, limit_mw), load_mw, now->dt_ms, seen_ms);
    state->slow_mw = tw_towards(tw_sane(state->slow_mw, limit_mw), load_mw, now->dt_ms, slow_ms);
    state->slower_mw = tw_towards(tw_sane(state->slower_mw, limit_mw), state->slow_mw, now->dt_ms, slow_ms);
}

static int32_t counts(const tw_now_t *now, int64_t power_w)
{
    return tw_within32(power_w * TW_COUNTS / now->rating_w, -32767, 32767);
}

/* What the battery does of two ways to estimate the fast part, by the gain and the share of each; w times permille is mW. */
static int64_t fast_mw(int64_t direct_w, int32_t gain, int64_t repeat_w, int32_t repeat_gain, int32_t blend)
{
    return (direct_w * gain * (ONE - blend) + repeat_w * repeat_gain * blend) / ONE;
}

static void report(const tw_wish_state_t *state, const tw_now_t *now, tw_wish_t *wish)
{
    int32_t blend = state->blend_permille;
    wish->functions |= state->gain_permille[0] > 0 && blend < ONE ? 1U << TW_FUNCTION_FEED_FORWARD : 0U;
    wish->functions |= state->gain_permille[1] > 0 && blend > 0 ? 1U << TW_FUNCTION_PREDICTOR : 0U;
    wish->gain_permille = tw_applied_permille(state);
    wish->functions |= wish->gain_permille < ONE * 9 / 10 ? 1U << TW_FUNCTION_GOVERNED : 0U;
    wish->period_ms = tw_within32(tw_of_q8((int64_t)state->period_q8 * now->config->cycle_ms), 0, TW_LAGS * 1000);
}

/* What a change of gain would make jump is held and fades: else the governor would make the ripple it forbids. A change from
 * direct to predicted is no change of gain. */
static void hold(tw_wish_state_t *state, const tw_now_t *now, int64_t jump_mw)
{
    const int64_t limit_mw = TW_LOAD_LIMIT_W * 4000;
    int64_t held_mw = tw_towards(tw_sane(state->held_mw, limit_mw), 0, now->dt_ms, SLOW_MS);
    state->held_mw = jump_mw == 0 ? held_mw : tw_within(held_mw + jump_mw, -limit_mw, limit_mw);
}

/* The load as the battery should answer it: slow part, announcement, and the parts of direct and predicted deviation that
 * do good. */
static int64_t estimate_mw(tw_wish_state_t *state, const tw_now_t *now, tw_wish_t *wish)
{
    int64_t announced_w = tw_announced_w(state, now); /* first: it moves the slow part */
    wish->functions |= announced_w != 0 ? 1U << TW_FUNCTION_ANNOUNCED : 0U;
    int64_t slow_w = state->slower_mw / ONE;
    int64_t off_w = now->load_w - slow_w;
    int32_t off = counts(now, off_w);
    bool agrees;
    int32_t repeat = tw_within32(tw_predicted(state, now, off, &agrees), -32767, 32767);
    int64_t repeat_w = repeat * now->rating_w / TW_COUNTS;
    int32_t blend = tw_within32(state->blend_permille, 0, ONE);
    int32_t gain = tw_within32(state->gain_permille[0], 0, ONE);
    int32_t repeat_gain = tw_within32(state->gain_permille[1], 0, ONE);
    state->blend_permille = blend;
    state->gain_permille[0] = gain;
    state->gain_permille[1] = repeat_gain;
    state->distrust_permille = tw_within32(state->distrust_permille, 0, ONE);
    tw_govern(state, now, off, repeat, counts(now, now->grid_w - slow_w), agrees);
    gain -= state->gain_permille[0];
    repeat_gain -= state->gain_permille[1];
    hold(state, now, gain == 0 && repeat_gain == 0 ? 0 : fast_mw(off_w, gain, repeat_w, repeat_gain, blend));
    report(state, now, wish);
    return state->slower_mw + announced_w * ONE + state->held_mw
        + fast_mw(off_w, state->gain_permille[0], repeat_w, state->gain_permille[1], state->blend_permille);
}

static void move_reference(tw_wish_state_t *state, const tw_now_t *now, int64_t goal_w, tw_wish_t *wish)
{
    const tw_wish_config_t *config = &now->config->wish;
    int64_t up_w_per_s = config->ramp_up_max_w_per_s > 0 ? config->ramp_up_max_w_per_s : TW_LOAD_LIMIT_W;
    int64_t down_w_per_s = config->ramp_down_max_w_per_s > 0 ? config->ramp_down_max_w_per_s : TW_LOAD_LIMIT_W;
    int64_t way_mw = goal_w * 1000 - state->reference_mw;
    int64_t step_mw = tw_within(way_mw, -down_w_per_s * now->dt_ms, up_w_per_s * now->dt_ms);
    wish->functions |= step_mw != way_mw ? 1U << TW_FUNCTION_POC_RAMP : 0U;
    state->reference_mw += step_mw;
}

/* Where a bound of the units stops the battery, the reference gives way, so that it is not left behind; else the trim
 * learns what is left. */
static void correct(tw_wish_state_t *state, const tw_now_t *now, int64_t battery_w, int64_t droop_w)
{
    int64_t over_mw = (battery_w - tw_within(battery_w, now->view->band_min_w, now->view->band_max_w)) * 1000;
    int64_t trim_max_mw = now->rating_w * 1000 / TRIM_PART;
    if (over_mw != 0) {
        state->reference_mw += over_mw * now->dt_ms / (BOUND_MS + now->dt_ms);
        return;
    }
    if (state->announced_left_ms > 0) {
        return; /* the grid is off the reference on purpose */
    }
    int64_t left_mw = (now->grid_w + droop_w) * 1000 - state->reference_mw;
    state->trim_mw = tw_within(state->trim_mw + left_mw * now->dt_ms / TRIM_MS, -trim_max_mw, trim_max_mw);
}

int64_t tw_smoothed(tw_wish_state_t *state, const tw_now_t *now, int64_t goal_w, int64_t droop_w, tw_wish_t *wish)
{
    const int64_t limit_mw = TW_LOAD_LIMIT_W * 4000;
    state->reference_mw = tw_sane(state->reference_mw, limit_mw);
    state->trim_mw = tw_sane(state->trim_mw, limit_mw);
    if (!now->measured) { /* the guard fades it; the reference waits */
        state->flags &= ~(uint32_t)TW_WISH_RUNNING;
        wish->reference_w = (int32_t)tw_within(state->reference_mw / 1000, -TW_LOAD_LIMIT_W, TW_LOAD_LIMIT_W);
        return now->before_w - droop_w;
    }
    follow_load(state, now);
    int64_t load_mw = estimate_mw(state, now, wish);
    if (!now->usable || (state->flags & (uint32_t)TW_WISH_RUNNING) == 0) { /* begin where the grid is now */
        state->reference_mw = tw_within(load_mw - now->before_w * ONE, -limit_mw, limit_mw);
        state->trim_mw = 0;
    }
    state->flags = now->usable ? state->flags | (uint32_t)TW_WISH_RUNNING : state->flags & ~(uint32_t)TW_WISH_RUNNING;
    move_reference(state, now, tw_within(goal_w, -4 * TW_LOAD_LIMIT_W, 4 * TW_LOAD_LIMIT_W), wish);
    wish->reference_w = tw_within32(state->reference_mw / 1000, -(int32_t)TW_LOAD_LIMIT_W, (int32_t)TW_LOAD_LIMIT_W);
    int64_t battery_w = (load_mw - state->reference_mw + state->trim_mw) / ONE;
    correct(state, now, battery_w + droop_w, droop_w);
    return battery_w;
}
