/* Announced changes of the load. A change is put into the estimate so early that the battery answers as the load moves, and
 * is taken out again as the meter shows it; what is taken out goes into the slow part, which would take half a minute to
 * learn it. An announcement that nothing follows ends by a time-out. */
#include "wish.h"

#define LATE_MS 2000       /* how long the load may keep us waiting after its time */
#define FADE_MS 1000       /* then the announcement fades */

/* Sums what is due now and was not acted on before; moves the mark. */
static int64_t due_w(tw_wish_state_t *state, const tw_now_t *now, int64_t lead_ms)
{
    int64_t mono_ms = tw_within(now->input->mono_ms, 0, 1LL << 60);
    int64_t mark_ms = state->announced_until_mono_ms;
    mark_ms = mark_ms > mono_ms + 10000 ? mono_ms - 1 : mark_ms;
    int64_t last_ms = mark_ms;
    int64_t sum_w = 0;
    for (int32_t i = 0; i < TW_ANNOUNCEMENTS; i++) {
        const tw_announcement_t *one = &now->input->announcement[i];
        if (one->delta_w != 0 && one->at_mono_ms > mark_ms && one->at_mono_ms <= mono_ms + lead_ms) {
            sum_w += one->at_mono_ms > mono_ms - 1000 ? tw_within(one->delta_w, -TW_LOAD_LIMIT_W, TW_LOAD_LIMIT_W) : 0;
            last_ms = one->at_mono_ms > last_ms ? one->at_mono_ms : last_ms;
        }
    }
    state->announced_until_mono_ms = last_ms;
    return sum_w;
}

/* Moves what the meter shows by now from the announcement to the slow part. */
static void take_out(tw_wish_state_t *state, int64_t part_w)
{
    state->announced_w = (int32_t)(state->announced_w - part_w);
    state->slow_mw += part_w * 1000;
    state->slower_mw += part_w * 1000;
}

int64_t tw_announced_w(tw_wish_state_t *state, const tw_now_t *now, int32_t dead_time_ms)
{
    int64_t due = due_w(state, now, dead_time_ms > now->poc_age_ms ? dead_time_ms - now->poc_age_ms : 0);
    int32_t left_ms = tw_within32(state->announced_left_ms, 0, 60000) - now->dt_ms;
    int32_t limit_w = (int32_t)TW_LOAD_LIMIT_W;
    state->announced_w = tw_within32(state->announced_w, -limit_w, limit_w);
    if (due != 0) {
        state->announced_base_w = tw_within32(now->load_w, -limit_w, limit_w);
        state->announced_w = tw_within32(state->announced_w + due, -limit_w, limit_w);
        left_ms = dead_time_ms + LATE_MS;
    }
    state->announced_left_ms = left_ms > 0 ? left_ms : 0;
    if (state->announced_w == 0) {
        return 0;
    }
    int64_t shown_w = now->load_w - state->announced_base_w;
    state->announced_base_w = tw_within32(now->load_w, -limit_w, limit_w);
    int64_t part_w = state->announced_w > 0 ? tw_within(shown_w, 0, state->announced_w)
                                            : tw_within(shown_w, state->announced_w, 0);
    take_out(state, part_w);
    if (left_ms <= 0) {
        state->announced_w = (int32_t)tw_towards(state->announced_w, 0, now->dt_ms, FADE_MS);
    }
    return state->announced_w;
}
