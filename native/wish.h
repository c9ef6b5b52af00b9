/* What the files of the clever half share: this cycle as they see it, their arithmetic, and who does what. Not part of the
 * ABI; nothing of the guard's is used here but the door. Whatever bits the state holds, every function stays defined: it
 * narrows what it reads before it calculates. */
#ifndef TW_WISH_H
#define TW_WISH_H

#include "door.h"

#define TW_LOAD_LIMIT_W 1000000000LL /* the POC and eight units, and room */
#define TW_COUNTS 8192               /* the rating of all units, in the predictor's and the governor's scale */

enum tw_wish_flag { /* tw_wish_state_t.flags */
    TW_WISH_STARTED = 1,   /* the low-passes have seen a load */
    TW_WISH_RUNNING = 2,   /* the reference was followed in the last cycle */
    TW_WISH_RECHARGING = 4, TW_WISH_GENSET = 8, TW_WISH_CALIBRATED = 16, TW_WISH_WINDOW = 32
};

enum tw_score { /* tw_wish_state_t.score_short, score_long: mean products of the bands of load, estimates and grid */
    TW_SCORE_NONE, TW_SCORE_DIRECT, TW_SCORE_DIRECT_CROSS, TW_SCORE_PREDICTED, TW_SCORE_PREDICTED_CROSS, TW_SCORE_REAL
};

typedef struct { /* this cycle, with every number inside its range */
    const tw_config_t *config;
    const tw_input_t *input;
    const tw_view_t *view;
    int64_t load_w;    /* net load, aligned in time: see deadtime.c */
    int64_t grid_w;    /* POC */
    int64_t before_w;  /* the last cycle's setpoints */
    int64_t rating_w;  /* of all units, the larger direction; >= 1 */
    int32_t dt_ms;
    int32_t poc_age_ms, pcs_age_ms, dead_time_ms;
    int32_t soc_cpct;
    bool measured, usable, smoothing;
} tw_now_t;

static inline int64_t tw_within(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static inline int32_t tw_within32(int64_t value, int32_t low, int32_t high)
{
    return (int32_t)tw_within(value, low, high);
}

/* What the state holds, or 0 where it cannot be: cheaper than a clamp, and no less defined. */
static inline int64_t tw_sane(int64_t value, int64_t limit)
{
    return (uint64_t)value + (uint64_t)limit > 2U * (uint64_t)limit ? 0 : value;
}

static inline int64_t tw_size(int64_t value)
{
    return value < 0 ? -value : value;
}

/* The place of the next sample in a ring that grows downwards. */
static inline int32_t tw_next_place(int32_t index, int32_t size)
{
    return index > 0 && index < size ? index - 1 : size - 1;
}

/* Of 1/256: rounded down, for >> of a negative goes towards minus infinity in gcc and clang. */
static inline int64_t tw_of_q8(int64_t value_q8)
{
    return value_q8 >> 8;
}

/* One step of a first-order low-pass; stable for any dt. |value|, |goal| <= 2^50, 0 <= dt_ms <= 4000 (of 32 bits: 8000), tau_ms > 0. The result
 * lies between the two: where they fit 32 bits, it does. */
static inline int64_t tw_towards(int64_t value, int64_t goal, int32_t dt_ms, int32_t tau_ms)
{
    return value + (goal - value) * dt_ms / (tau_ms + dt_ms);
}

/* A permille on its way to a goal, at these speeds; all of them 0..5000. */
static inline int32_t tw_moved_permille(int32_t value, int32_t goal, int32_t rise_per_s, int32_t fall_per_s, int32_t dt_ms)
{
    if (goal >= value) {
        int32_t most = value + rise_per_s * dt_ms / 1000;
        return goal < most ? goal : most;
    }
    int32_t least = value - fall_per_s * dt_ms / 1000;
    return goal > least ? goal : least;
}

/* The gain that is applied: from the direct estimate's to the predicted one's. */
static inline int32_t tw_applied_permille(const tw_wish_state_t *state)
{
    int32_t blend = state->blend_permille;
    return (state->gain_permille[0] * (1000 - blend) + state->gain_permille[1] * blend) / 1000;
}

/* deadtime.c: measures the delay of the loop; aligns the battery's power with the meter's sample. */
void tw_measure_delay(tw_wish_state_t *state, const tw_now_t *now);
int32_t tw_dead_time_ms(const tw_wish_state_t *state, const tw_now_t *now);
bool tw_dead_time_known(const tw_wish_state_t *state, const tw_now_t *now);
int64_t tw_misaligned_w(tw_wish_state_t *state, const tw_now_t *now);

/* asked.c, shave.c, demand.c, centre.c, droop.c, reactive.c, genset.c: the site functions. Each takes the battery power
 * so far and the load to reckon with, and returns the battery power that it wants. */
int64_t tw_asked_for_w(const tw_now_t *now, int64_t load_w, tw_wish_t *wish);
int64_t tw_recharged(tw_wish_state_t *state, const tw_now_t *now, int64_t load_w, int64_t battery_w, tw_wish_t *wish);
int64_t tw_shaved(const tw_now_t *now, int64_t load_w, int64_t battery_w, int64_t demand_w, tw_wish_t *wish);
int64_t tw_demand_allowed_w(tw_wish_state_t *state, const tw_now_t *now);
int64_t tw_centred(tw_wish_state_t *state, const tw_now_t *now, int64_t battery_w, tw_wish_t *wish);
int64_t tw_droop_w(const tw_now_t *now, tw_wish_t *wish);
int32_t tw_reactive_permille(const tw_now_t *now, int64_t battery_w, tw_wish_t *wish);
uint32_t tw_genset(tw_wish_state_t *state, const tw_now_t *now);

/* smooth.c: the battery power that holds the grid at a reference which moves towards goal_w no faster than the ramps. */
int64_t tw_smoothed(tw_wish_state_t *state, const tw_now_t *now, int64_t goal_w, int64_t droop_w, tw_wish_t *wish);

/* predict.c: the load's deviation from its slow part at the time when the battery will answer, from one period before. */
int64_t tw_predicted(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, bool *agrees);

/* governor.c: how much of the fast estimate does good; updates the gains and the blend, which are 0..1000. */
void tw_govern(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, int32_t predicted, int32_t grid,
               bool agrees);

/* doubt.c, in every second cycle: cuts the gains (distrust_permille) while the meter contradicts, or the load seems to swing by our own doing. */
void tw_doubt(tw_wish_state_t *state, const tw_now_t *now);

/* announce.c: the part of an announced change that the meter does not show yet. */
int64_t tw_announced_w(tw_wish_state_t *state, const tw_now_t *now);

#endif
