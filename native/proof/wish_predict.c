/* The period predictor: no fault for any state, any deviation of a cycle; smoothing's state is left alone. In parts, as smoothing is. */
#include "wish.h"

void any_correlate(tw_wish_state_t *state, int32_t deviation);
void any_seek(tw_wish_state_t *state);
int32_t any_then(const tw_wish_state_t *state, int32_t ago_q8);

#include "../predict.c"

#define AGO_MAX_Q8 ((TW_LAGS - 1) * 256 - 1)

void any_correlate(tw_wish_state_t *state, int32_t deviation)
{
    HOLDS(among(-32767, deviation, 32767), "a deviation is a count");
    state->history_index = nondet_int32();
    for (int32_t i = 0; i < TW_LAGS; i++) {
        state->lag_mean[i] = nondet_int32();
    }
}

void any_seek(tw_wish_state_t *state)
{
    state->period_q8 = nondet_int32();
}

int32_t any_then(const tw_wish_state_t *state, int32_t ago_q8)
{
    (void)state;
    HOLDS(among(0, ago_q8, AGO_MAX_Q8), "the history reaches so far");
    return any_between(-32768, 32767);
}

void prove_correlate(void)
{
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    correlate(&state, any_between(-32767, 32767));
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state), "smoothing's own state is left alone");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_seek(void)
{
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    seek_period(&state);
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state), "smoothing's own state is left alone");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_then(void)
{
    tw_wish_state_t state;
    int32_t then = deviation_then(&state, any_between(0, AGO_MAX_Q8));
    SHOW(then, then);
    HOLDS(among(-32768, then, 32767), "a deviation of the past is a count");
    END;
}

void prove_predicted(void)
{
    ANY_CYCLE;
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    bool agrees;
    (void)tw_predicted(&state, &now, any_between(-32767, 32767), &agrees);
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state), "smoothing's own state is left alone");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}
