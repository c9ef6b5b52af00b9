/* The governor, and its doubt: no fault for any state; gains stay gains; smoothing's state is left alone. */
#include "wish.h"

void any_note(int32_t *score, const int32_t *product, int32_t dt_ms, int32_t tau_ms);
void any_score(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, int32_t predicted, int32_t grid);

#ifdef DOUBT
#include "../doubt.c"
#else
#include "../governor.c"
#endif

static bool doubt_fits(const tw_wish_state_t *state)
{
    return among(0, state->distrust_permille, 1000);
}

#ifdef DOUBT
void prove_doubt(void)
{
    tw_view_t view = nondet_view();
    tw_now_t now = any_now((void *)0, (void *)0, &view);
    GIVEN(now_fits(&now));
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    int64_t applied_permille = nondet_int64();
    GIVEN(among(0, applied_permille, 1000));
    tw_doubt(&state, &now, applied_permille);
    HOLDS(doubt_fits(&state), "distrust is a permille");
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state) && state.gain_permille[0] == before.gain_permille[0]
          && state.gain_permille[1] == before.gain_permille[1] && state.blend_permille == before.blend_permille
          && state.ring_index == before.ring_index, "smoothing's own state, gains and blend are left alone");
    END;
}
#else
/* Scores may be any; that the mean of two of them is one of int32 is `note`. */
void any_note(int32_t *score, const int32_t *product, int32_t dt_ms, int32_t tau_ms)
{
    (void)product;
    HOLDS((tau_ms == SHORT_MS && among(0, dt_ms, 2000)) || (tau_ms == LONG_MS && among(0, dt_ms, 8000)),
          "a mean is asked within its range");
    for (int32_t i = 0; i < TW_SCORES; i++) {
        score[i] = nondet_int32();
    }
}

void tw_doubt(tw_wish_state_t *state, const tw_now_t *now, int64_t applied_permille)
{
    (void)now;
    HOLDS(among(0, applied_permille, 1000), "what is applied is a permille");
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
    any_note(state->score_short, (void *)0, 0, SHORT_MS);
    any_note(state->score_long, (void *)0, 0, LONG_MS);
}

void prove_score(void)
{
    tw_config_t config;
    GIVEN(site_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now) && dead_time_fits(now.dead_time_ms));
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    const int32_t count = 32767;
    score(&state, &now, any_between(-count, count), any_between(-count, count), any_between(-count, count));
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state), "smoothing's own state is left alone");
    END;
}

void prove_govern(void)
{
    tw_config_t config;
    GIVEN(site_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now) && dead_time_fits(now.dead_time_ms));
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    const int32_t count = 32767;
    tw_govern(&state, &now, any_between(-count, count), any_between(-count, count), any_between(-count, count), nondet_bool());
    HOLDS(gains_fit(&state), "gains and blend are permille");
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state), "smoothing's own state is left alone");
    END;
}

/* Any scores and products, with the two memories there are: the mean lies between, so it fits. */
void prove_note(void)
{
    int32_t score[TW_SCORES];
    int32_t product[TW_SCORES];
    note(score, product, any_between(0, 2000), SHORT_MS);
    note(score, product, any_between(0, 8000), LONG_MS);
    END;
}
#endif
