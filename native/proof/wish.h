/* What the proofs of the clever half share: this cycle as its files see it, what they promise each other, and what stands for the one
 * low-pass. The state may hold any bytes, except where a promise says otherwise. */
#ifndef TW_PROOF_WISH_H
#define TW_PROOF_WISH_H

#include "accepted.h"
#undef TW_INNER_H /* its tw_size is wish.h's too */
#define tw_size tw_size_of_wish
#include "../wish.h"
#include "view.h"

#define WIDE (INT64_C(1) << 50)

tw_view_t nondet_view(void);

/* What the low-pass is asked: scores are 32 bits wide, and may be asked for a longer time. */
static inline bool towards_fits(int64_t value, int64_t goal, int32_t dt_ms, int32_t tau_ms)
{
    bool wide = among(-WIDE, value, WIDE) && among(-WIDE, goal, WIDE) && among(0, dt_ms, 4000);
    bool narrow = among(INT32_MIN, value, INT32_MAX) && among(INT32_MIN, goal, INT32_MAX) && among(0, dt_ms, 8000);
    return (wide || narrow) && among(1, tau_ms, 100000);
}

int64_t any_towards(int64_t value, int64_t goal, int32_t dt_ms, int32_t tau_ms);

/* The low-pass by its contract: what `towards` and `between` prove of it. */
int64_t any_towards(int64_t value, int64_t goal, int32_t dt_ms, int32_t tau_ms)
{
    HOLDS(towards_fits(value, goal, dt_ms, tau_ms), "a low-pass is asked within its range");
    int64_t answer = nondet_int64();
    GIVEN(value <= goal ? among(value, answer, goal) : among(goal, answer, value));
    return answer;
}

/* A cycle as wish.c makes it, of any view and any input. */
static inline tw_now_t any_now(const tw_config_t *config, const tw_input_t *input, const tw_view_t *view)
{
    tw_now_t now;
    now.config = config;
    now.input = input;
    now.view = view;
    now.measured = nondet_bool();
    now.usable = nondet_bool();
    now.smoothing = nondet_bool();
    GIVEN(view_fits(view));
    return now;
}

/* What wish.c promises of a cycle; dead_time_ms only once it has been looked up. */
static inline bool now_fits(const tw_now_t *now)
{
    return among(-TW_LOAD_LIMIT_W, now->load_w, TW_LOAD_LIMIT_W) && among(-TW_POWER_LIMIT_W, now->grid_w, TW_POWER_LIMIT_W)
        && among(-TW_LOAD_LIMIT_W, now->before_w, TW_LOAD_LIMIT_W) && among(1, now->rating_w, TW_LOAD_LIMIT_W)
        && among(0, now->dt_ms, 2000) && among(0, now->poc_age_ms, 10000) && among(0, now->pcs_age_ms, 10000)
        && among(0, now->soc_cpct, 10000);
}

static inline bool dead_time_fits(int32_t dead_time_ms)
{
    return among(1, dead_time_ms, 5000);
}

/* A proof's cycle in which the dead time is known already: declares `config`, `input`, `view` and `now`. */
#define ANY_CYCLE \
    tw_config_t config; \
    GIVEN(site_accepted(&config)); \
    tw_input_t input; \
    tw_view_t view = nondet_view(); \
    tw_now_t now = any_now(&config, &input, &view); \
    GIVEN(now_fits(&now) && dead_time_fits(now.dead_time_ms))

/* ---- what smooth.c relies on: others leave its part of the state alone -------------------------------------- */

static inline bool smooth_kept(const tw_wish_state_t *before, const tw_wish_state_t *after)
{
    return after->reference_mw == before->reference_mw && after->trim_mw == before->trim_mw && after->held_mw == before->held_mw
        && after->flags == before->flags && after->mean_mw == before->mean_mw;
}

/* The one invariant of this half: the governor's filters are as far as a count goes. tw_init makes it true, `score` keeps it, and no
 * other file writes them. (With other bits a conversion in governor.c would wrap, as gcc and clang define it.) */
static inline bool bands_fit(const tw_wish_state_t *state)
{
    bool all = true;
    for (int32_t i = 0; i < TW_BANDPASSES; i++) {
        all = all && among(-(1 << 23), state->band_slow[i][0], 1 << 23) && among(-(1 << 24), state->band_slow[i][1], 1 << 24);
    }
    return all;
}

static inline bool bands_kept(const tw_wish_state_t *before, const tw_wish_state_t *after)
{
    bool all = true;
    for (int32_t i = 0; i < TW_BANDPASSES; i++) {
        all = all && after->band_slow[i][0] == before->band_slow[i][0] && after->band_slow[i][1] == before->band_slow[i][1];
    }
    return all;
}

static inline bool slow_kept(const tw_wish_state_t *before, const tw_wish_state_t *after)
{
    return after->slow_mw == before->slow_mw && after->slower_mw == before->slower_mw;
}

static inline bool slow_within(const tw_wish_state_t *state, int64_t limit_w)
{
    return among(-limit_w * 1000, state->slow_mw, limit_w * 1000) && among(-limit_w * 1000, state->slower_mw, limit_w * 1000);
}

static inline bool doubt_fits(const tw_wish_state_t *state)
{
    return among(0, state->distrust_permille, 1000);
}

static inline bool gains_fit(const tw_wish_state_t *state)
{
    return among(0, state->gain_permille[0], 1000) && among(0, state->gain_permille[1], 1000)
        && among(0, state->blend_permille, 1000);
}

#define ANNOUNCED_LIMIT_W INT64_C(500000000000) /* weak: four announcements, each before it is divided by the cycle */

#endif
