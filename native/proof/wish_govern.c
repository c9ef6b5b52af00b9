/* The governor, and its doubt: no fault for any state; gains stay gains; smoothing's state is left alone. */
#include "wish.h"

void any_score(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, int32_t predicted, int32_t grid);

#ifdef DOUBT
#include "../doubt.c"
#else
#include "../governor.c"
#endif

#ifdef DOUBT
void prove_doubt(void)
{
    tw_view_t view = nondet_view();
    tw_now_t now = any_now((void *)0, (void *)0, &view);
    GIVEN(now_fits(&now));
    tw_wish_state_t state;
    GIVEN(gains_fit(&state) && doubt_fits(&state));
    const tw_wish_state_t before = state;
    tw_doubt(&state, &now);
    HOLDS(doubt_fits(&state), "distrust is a permille");
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state) && state.gain_permille[0] == before.gain_permille[0]
          && state.gain_permille[1] == before.gain_permille[1] && state.blend_permille == before.blend_permille
          && state.ring_index == before.ring_index, "smoothing's own state, gains and blend are left alone");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}
#else
void tw_doubt(tw_wish_state_t *state, const tw_now_t *now)
{
    (void)now;
    HOLDS(gains_fit(state) && doubt_fits(state), "gains and distrust are permille");
    state->distrust_permille = nondet_int32();
    state->applied_short = nondet_int32();
    state->applied_long = nondet_int32();
    GIVEN(doubt_fits(state));
}

bool tw_dead_time_known(const tw_wish_state_t *state, const tw_now_t *now)
{
    (void)state;
    (void)now;
    return nondet_bool();
}

/* Scores and places in the ring may be any. */
void any_score(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, int32_t predicted, int32_t grid)
{
    (void)now;
    HOLDS(among(-32767, deviation, 32767) && among(-32767, predicted, 32767) && among(-32767, grid, 32767), "all are counts");
    state->ring_index = nondet_int32();
    for (int32_t i = 0; i < TW_SCORES; i++) {
        state->score_short[i] = nondet_int32();
        state->score_long[i] = nondet_int32();
    }
}

void prove_score(void)
{
    ANY_CYCLE;
    tw_wish_state_t state;
    GIVEN(bands_fit(&state));
    const tw_wish_state_t before = state;
    const int32_t count = 32767;
    score(&state, &now, any_between(-count, count), any_between(-count, count), any_between(-count, count));
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state) && state.gain_permille[0] == before.gain_permille[0]
          && state.gain_permille[1] == before.gain_permille[1] && state.blend_permille == before.blend_permille
          && state.distrust_permille == before.distrust_permille, "smoothing's own state is left alone");
    HOLDS(bands_fit(&state), "the filters stay as far as a count goes");
    END;
}

void prove_govern(void)
{
    ANY_CYCLE;
    tw_wish_state_t state;
    GIVEN(gains_fit(&state) && doubt_fits(&state));
    const tw_wish_state_t before = state;
    const int32_t count = 32767;
    tw_govern(&state, &now, any_between(-count, count), any_between(-count, count), any_between(-count, count), nondet_bool());
    HOLDS(gains_fit(&state) && doubt_fits(&state), "gains, blend and distrust are permille");
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state), "smoothing's own state is left alone");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}
#endif
