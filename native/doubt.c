/* When not to believe the governor's own scores.
 *
 * The meter has the last word: when the grid shows more than the load did, or hardly less, although something has been done
 * about it for a while, the gains are cut. And the load itself may be our own doing: where a meter averages longer than its
 * age says, the estimate echoes the battery, and every score is excellent while the site swings. No signal tells that, but
 * a question does: a load that has grown out of all proportion is left alone for a few seconds. If it falls silent, it was
 * us, and the gains stay off for ten minutes. */
#include "wish.h"

#define ONE 1000
#define SHORT_MS 3000      /* as the scores */
#define LONG_MS 20000
#define QUIET 400
#define CUT_PER_S 4000
#define RETURN_PER_S 17
#define GROWN 32           /* times the usual mean square: nearly six times the swing */
#define GROWN_MS 4000      /* and without a pause */
#define USUAL_MS 60000
#define ASK_MS 6000        /* two memories of the short scores */
#define LOCKED_MS 600000   /* the answer may have been chance */

static bool contradicted(const tw_wish_state_t *state)
{
    int64_t load = state->score_short[TW_SCORE_NONE];
    int64_t load_long = state->score_long[TW_SCORE_NONE];
    int64_t grid_long = state->score_long[TW_SCORE_REAL];
    bool worse = load > QUIET && state->score_short[TW_SCORE_REAL] > load + load / 4 + load_long / 8;
    bool useless = load_long > QUIET && grid_long * 10 > load_long * 9;
    return (state->applied_short > ONE * 256 / 10 && worse) || (state->applied_long > ONE * 256 / 2 && useless);
}

/* Learns how much the load usually swings: at once while nothing is done about it, else slowly. */
static void learn_usual(tw_wish_state_t *state, int32_t dt_ms)
{
    int32_t usual = tw_within32(state->load_usual, QUIET, INT32_MAX);
    int32_t swing = state->score_short[TW_SCORE_NONE];
    bool alone = state->applied_short < ONE * 256 / 10;
    state->load_usual = alone && swing > usual
                            ? swing
                            : (int32_t)tw_towards(usual, state->score_long[TW_SCORE_NONE], dt_ms, USUAL_MS);
}

/* For how long the load has swung out of all proportion without a pause: a single step is half forgotten after 2 s. */
static int32_t grown_ms(tw_wish_state_t *state, int32_t dt_ms, int32_t before_ms)
{
    int32_t swing = state->score_short[TW_SCORE_NONE];
    if (state->applied_short <= ONE * 256 / 10 || swing / GROWN <= state->load_usual) {
        state->load_asked = 0;
        return 0;
    }
    bool goes_on = swing > state->load_asked / 2;
    state->load_asked = goes_on && swing < state->load_asked ? state->load_asked : swing;
    return goes_on ? before_ms + dt_ms : 0;
}

/* Asks, and reads the answer. asking_ms: below 0 it has swung for so long; above, what is left of the question. */
static bool suspected(tw_wish_state_t *state, int32_t dt_ms)
{
    int32_t swing = state->score_short[TW_SCORE_NONE];
    int32_t asking_ms = tw_within32(state->asking_ms, -GROWN_MS, ASK_MS);
    state->locked_ms = tw_within32((int64_t)state->locked_ms - dt_ms, 0, LOCKED_MS);
    if (asking_ms <= 0) {
        int32_t swung_ms = grown_ms(state, dt_ms, -asking_ms);
        asking_ms = swung_ms >= GROWN_MS ? ASK_MS : -swung_ms;
    } else if (asking_ms > dt_ms) {
        asking_ms -= dt_ms;
    } else {
        asking_ms = 0;
        bool silent = swing < state->load_asked / 4;
        state->locked_ms = silent ? LOCKED_MS : 0;
        state->load_usual = silent ? state->load_usual : swing;
        state->distrust_permille = silent ? ONE : 0; /* it swings by itself */
    }
    state->asking_ms = asking_ms;
    return asking_ms > 0 || state->locked_ms > 0;
}

void tw_doubt(tw_wish_state_t *state, const tw_now_t *now)
{
    const int32_t dt_ms = 2 * now->dt_ms; /* in every second cycle */
    bool running = now->usable && (state->flags & (uint32_t)TW_WISH_RUNNING) != 0;
    int32_t goal = running ? tw_applied_permille(state) * 256 : 0;
    state->applied_short = (int32_t)tw_towards(state->applied_short, goal, dt_ms, SHORT_MS);
    state->applied_long = (int32_t)tw_towards(state->applied_long, goal, dt_ms, LONG_MS);
    learn_usual(state, dt_ms);
    bool harm = suspected(state, dt_ms);
    harm = harm || (state->announced_left_ms <= 0 && contradicted(state)); /* an announcement is not the estimate's fault */
    state->distrust_permille = tw_moved_permille(state->distrust_permille, harm ? ONE : 0, CUT_PER_S, RETURN_PER_S, dt_ms);
}
