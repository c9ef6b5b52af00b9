/* The do-no-harm governor. The load is measured whatever the battery does, so each way to estimate it can be tried in the
 * shadow: had the battery followed estimate X, the grid would now show load(now) - g * X(one dead time ago). In the band
 * that a slow loop spoils (0.2 to 2 Hz) the gain that would have left least is <load * X> / <X * X>, and 0 where that is
 * negative. So a gain is earned by good it would have done, falls at once, and rises slowly.
 *
 * A single event is over before it can be judged: with a long dead time the gain stays so low that even a first step does no
 * harm. And the gain is cut while there is doubt whether all this is true of the site: doubt.c. */
#include "wish.h"

enum { BAND_LOAD, BAND_PREDICTED, BAND_GRID };
enum { GAIN_DIRECT, GAIN_PREDICTED };

#define BAND_MS 800        /* 0.2 Hz */
#define SHORT_MS 3000
#define LONG_MS 20000
#define QUIET 400          /* mean square below 0.25 % of the rating: nothing to be known from it */
#define ONE 1000
#define WORTH 250          /* less than this is not worth the battery's trouble, nor sure */
#define WHOLE 800          /* and from here on it is all: below the band, where nothing is judged, all is best */
#define PROBE 50           /* moves the battery just enough to measure the dead time */
#define BLIND_MS 400       /* of cycle */
#define FALL_PER_S 4000    /* gain, permille a second */
#define RISE_PER_S 67
#define BLEND_RISE_PER_S 1000
#define BLEND_FALL_PER_S 5000
#define SURE_MS 250        /* up to this dead time a step seen late is better than one not seen */
#define CLEAR 700          /* gain that the last 20 s would have liked */
#define LATE_MS 400        /* here an eighth of it is, */
#define LATE 120
#define NEVER_MS 800       /* and from here on nothing */

/* Two first-order high-passes; in and out in counts. In range but for a state of any bits, which heals. */
static int32_t band(int32_t slow[2], int32_t value, int32_t dt_ms)
{
    slow[0] = (int32_t)tw_towards(slow[0], value * 256, dt_ms, BAND_MS);
    int64_t once = (int64_t)value * 256 - slow[0];
    slow[1] = (int32_t)tw_towards(slow[1], once, dt_ms, BAND_MS);
    return tw_within32(tw_of_q8(once - slow[1]), -32767, 32767);
}

/* The band this long ago, straight between cycles; ago_q8 >= 0. */
static int32_t then(const int16_t ring[TW_RING], int32_t index, int32_t ago_q8)
{
    int32_t at = index + (ago_q8 >> 8);
    int32_t newer = ring[at & (TW_RING - 1)];
    int32_t older = ring[(at + 1) & (TW_RING - 1)];
    return newer + (int32_t)tw_of_q8((older - newer) * (ago_q8 & 255));
}

static void note(int32_t score[TW_SCORES], const int32_t product[TW_SCORES], int32_t dt_ms, int32_t tau_ms)
{
    for (int32_t i = 0; i < TW_SCORES; i++) { /* ends between the two, so it fits */
        score[i] = (int32_t)tw_towards(score[i], product[i], dt_ms, tau_ms);
    }
}

/* Lets this cycle's bands meet the estimates of one dead time ago. */
static void score(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, int32_t predicted, int32_t grid)
{
    int32_t ago_q8 = tw_within32((int64_t)now->dead_time_ms * 256 / now->config->cycle_ms, 0, (TW_RING - 1) * 256 - 1);
    int32_t index = tw_next_place(state->ring_index, TW_RING);
    int32_t load = band(state->band_slow[BAND_LOAD], deviation, now->dt_ms);
    int32_t real = band(state->band_slow[BAND_GRID], grid, now->dt_ms);
    state->ring_index = index;
    state->load_then[index] = (int16_t)load;
    state->predicted_then[index] = (int16_t)band(state->band_slow[BAND_PREDICTED], predicted, now->dt_ms);
    int32_t direct = then(state->load_then, index, ago_q8);
    int32_t repeat = then(state->predicted_then, index, ago_q8);
    const int32_t product[TW_SCORES] = {load * load,     direct * direct, load * direct,
                                        repeat * repeat, load * repeat,   real * real};
    note(state->score_short, product, now->dt_ms, SHORT_MS);
    if (index % 4 == 0) {
        note(state->score_long, state->score_short, 4 * now->dt_ms, LONG_MS);
    }
}

/* cross / power, from WORTH on, stretched so that WHOLE is all. */
static int32_t best_gain(int64_t cross, int64_t power)
{
    if (power <= 0 || cross * ONE <= power * WORTH) {
        return 0;
    }
    return tw_within32((cross * ONE - power * WORTH) * ONE / (power * (WHOLE - WORTH)), 0, ONE);
}

/* What the gain would have taken away; gain 0..ONE. */
static int64_t benefit(int64_t cross, int64_t power, int64_t gain)
{
    return (2 * ONE * cross - gain * power) * gain;
}

/* With what is known of the loop: nothing, or that it samples the band too seldom to judge itself, or that nobody knows how
 * long its meter averages: then the scores are not to be believed, however good they are. */
static int32_t loop_cap(const tw_wish_state_t *state, const tw_now_t *now)
{
    bool blind = now->config->cycle_ms > BLIND_MS || now->config->wish.dead_time_ms == TW_METER_UNSURE;
    return blind ? 0 : tw_dead_time_known(state, now) ? ONE : PROBE;
}

/* Up to which gain even an event that nobody saw coming does no harm: a step; while the load of the last 20 s gives no
 * clear answer, also a short dip, which is worse. */
static int32_t event_cap(int32_t dead_time_ms, int32_t goal)
{
    if (goal >= CLEAR) {
        return tw_within32((NEVER_MS - dead_time_ms) * ONE / (NEVER_MS - SURE_MS), 0, ONE);
    }
    if (dead_time_ms < LATE_MS) {
        return tw_within32(ONE - (dead_time_ms - SURE_MS) * (ONE - LATE) / (LATE_MS - SURE_MS), LATE, ONE);
    }
    return tw_within32((NEVER_MS - dead_time_ms) * LATE / (NEVER_MS - LATE_MS), 0, LATE);
}

static void move_gain(tw_wish_state_t *state, const tw_now_t *now, int32_t which)
{
    int32_t power = which == GAIN_DIRECT ? TW_SCORE_DIRECT : TW_SCORE_PREDICTED;
    int32_t quiet = state->score_long[TW_SCORE_NONE] / 16;
    int32_t goal = state->gain_permille[which]; /* stays as it is while nothing is to be known */
    if (which == GAIN_DIRECT && now->dead_time_ms <= SURE_MS) {
        goal = ONE;
    }
    if (state->score_long[TW_SCORE_NONE] > QUIET) {
        goal = best_gain(state->score_long[power + 1], state->score_long[power]);
    }
    int32_t event = which == GAIN_DIRECT ? event_cap(now->dead_time_ms, goal) : ONE;
    if (state->score_short[TW_SCORE_NONE] > (quiet > QUIET ? quiet : QUIET)) {
        int32_t now_best = best_gain(state->score_short[power + 1], state->score_short[power]);
        goal = goal < now_best ? goal : now_best;
    }
    int32_t cap = loop_cap(state, now);
    cap = cap < event ? cap : event;
    goal = (goal < cap ? goal : cap) * (ONE - state->distrust_permille) / ONE;
    state->gain_permille[which] = tw_moved_permille(state->gain_permille[which], goal, RISE_PER_S, FALL_PER_S, 2 * now->dt_ms);
}

static void move_blend(tw_wish_state_t *state, const tw_now_t *now, bool agrees)
{
    const int32_t *seen = state->score_long;
    int64_t by_direct = benefit(seen[TW_SCORE_DIRECT_CROSS], seen[TW_SCORE_DIRECT], state->gain_permille[GAIN_DIRECT]);
    int64_t by_repeat = benefit(seen[TW_SCORE_PREDICTED_CROSS], seen[TW_SCORE_PREDICTED], state->gain_permille[GAIN_PREDICTED]);
    int32_t goal = agrees && by_repeat > by_direct + (by_direct > 0 ? by_direct / 8 : 0) ? ONE : 0;
    state->blend_permille = tw_moved_permille(state->blend_permille, goal, BLEND_RISE_PER_S, BLEND_FALL_PER_S, 2 * now->dt_ms);
}

void tw_govern(tw_wish_state_t *state, const tw_now_t *now, int32_t deviation, int32_t predicted, int32_t grid,
               bool agrees)
{
    score(state, now, deviation, predicted, grid);
    if (state->ring_index % 2 != 0) { /* by turns: nothing here is quicker than a few cycles */
        tw_doubt(state, now);
        move_gain(state, now, GAIN_DIRECT);
    } else {
        move_gain(state, now, GAIN_PREDICTED);
        move_blend(state, now, agrees);
    }
}
