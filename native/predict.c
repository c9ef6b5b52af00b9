/* The period predictor. Training repeats itself every iteration, so what the load did one period ago is what it does now,
 * and one period ago is no dead time away. The period is the first high peak of the autocorrelation of the load's
 * deviation from its slow part; what the past did not know (the innovation) is added slowly.
 *
 * A mean that forgets with 128 cycles stands for the last 20 s or so: no oldest sample to take off, and no error that
 * stays. Whether a prediction does any good is for the governor to say. */
#include "wish.h"

#define MEMORY_BITS 7       /* 128 cycles */
#define SEEK_COUNT 3        /* lags looked at in one cycle: the whole in 21 */
#define LAG_MIN 3
#define DEAD_TIMES_MAX 16   /* a period longer than this is followed as well without */
#define QUIET 400           /* mean square below 0.25 % of the rating: nothing to predict */
#define AGREE_MS 1000
#define INNOVATION_MS 1500

/* Takes the newest deviation into the history and into the means of its products with the past. */
static void correlate(tw_wish_state_t *state, int32_t deviation)
{
    int32_t index = tw_next_place(state->history_index, TW_LAGS);
    state->history_index = index;
    state->history[index] = (int16_t)deviation;
    state->history[index + TW_LAGS] = (int16_t)deviation;
    const int16_t *then = &state->history[index];
    const int16_t newest = (int16_t)deviation;
    for (int32_t i = 0; i < TW_LAGS; i++) { /* products and their means stay below 2^30; other bits may wrap */
        uint32_t mean = (uint32_t)state->lag_mean[i];
        int32_t off = (int32_t)((uint32_t)(newest * then[i]) - mean);
        state->lag_mean[i] = (int32_t)(mean + (uint32_t)(off >> MEMORY_BITS));
    }
}

/* Vertex of the parabola through a peak and its neighbours, in 1/256 of a lag; -128..128. */
static int32_t vertex_q8(int64_t before, int64_t peak, int64_t after)
{
    int64_t fall = 2 * peak - before - after;
    return fall <= 0 ? 0 : tw_within32((after - before) * 128 / fall, -128, 128);
}

static void adopt(tw_wish_state_t *state, int32_t found_q8)
{
    int32_t off_q8 = found_q8 - tw_within32(state->period_q8, 0, TW_LAGS * 256);
    state->period_q8 = tw_size(off_q8) < 64 ? tw_within32(state->period_q8, 0, TW_LAGS * 256) + off_q8 / 4 : found_q8;
}

/* One more part of the way through the lags: the lowest high peak after the correlation was low. */
static void seek_period(tw_wish_state_t *state)
{
    int64_t power = state->lag_mean[0];
    for (int32_t n = 0; n < SEEK_COUNT; n++) {
        int32_t lag = tw_within32(state->seek_lag, 1, TW_LAGS - 1);
        if (lag == TW_LAGS - 1) {
            adopt(state, tw_within32(state->seek_period_q8, 0, TW_LAGS * 256));
            state->seek_lag = 1;
            state->seek_low = state->seek_best = state->seek_period_q8 = 0;
            continue;
        }
        int64_t before = state->lag_mean[lag - 1];
        int64_t here = state->lag_mean[lag];
        int64_t after = state->lag_mean[lag + 1];
        if (here * 2 < power) {
            state->seek_low = 1;
        } else if (state->seek_low != 0 && lag >= LAG_MIN && here > before && here >= after && here * 10 > power * 6 &&
                   here * 9 > (int64_t)state->seek_best * 10 && power > QUIET) {
            state->seek_best = (int32_t)here;
            state->seek_period_q8 = lag * 256 + vertex_q8(before, here, after);
        }
        state->seek_lag = lag + 1;
    }
}

/* The deviation this long ago, straight between cycles; 0 <= ago_q8 < (TW_LAGS - 1) * 256. */
static int32_t deviation_then(const tw_wish_state_t *state, int32_t ago_q8)
{
    const int16_t *then = &state->history[(state->history_index & (TW_LAGS - 1)) + (ago_q8 >> 8)];
    return then[0] + (int32_t)tw_of_q8((then[1] - then[0]) * (ago_q8 & 255));
}

int64_t tw_predicted(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, bool *agrees)
{
    int32_t cycle_ms = now->config->cycle_ms;
    correlate(state, deviation);
    seek_period(state);
    int32_t period_q8 = tw_within32(state->period_q8, 0, (TW_LAGS - 1) * 256 - 1);
    int32_t dead_q8 = tw_within32((int64_t)now->dead_time_ms * 256 / cycle_ms, 0, (TW_LAGS - 1) * 256);
    *agrees = false;
    if (period_q8 < LAG_MIN * 256 - 128 || period_q8 > dead_q8 * DEAD_TIMES_MAX) {
        state->innovation = 0;
        return deviation;
    }
    int32_t off = deviation - deviation_then(state, period_q8);
    int64_t disagreement = tw_within(state->disagreement, 0, 1LL << 33);
    state->disagreement = tw_towards(disagreement, (int64_t)off * off, now->dt_ms, AGREE_MS);
    state->innovation = (int32_t)tw_towards(state->innovation, off * 16, now->dt_ms, INNOVATION_MS);
    int32_t ahead_q8 = period_q8 - dead_q8;
    if (ahead_q8 < 0) { /* the answer comes after more than one period */
        ahead_q8 += (-ahead_q8 + period_q8 - 1) / period_q8 * period_q8;
    }
    bool held = (int64_t)state->lag_mean[1] * 2 > state->lag_mean[0]; /* six setpoints a period: fewer are no sine any more */
    *agrees = held && state->disagreement < state->lag_mean[0];
    ahead_q8 = tw_within32(ahead_q8, 0, (TW_LAGS - 1) * 256 - 1);
    return deviation_then(state, ahead_q8) + state->innovation / 16;
}
