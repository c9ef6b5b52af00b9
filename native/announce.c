/* Announced changes of the load. A change is put into the estimate so early that the battery answers as the load moves, and
 * is taken out again as the meter shows it; what is taken out goes into the slow part, which would take half a minute to
 * learn it. Its time is that of the middle of the change. An announcement that nothing follows ends by a time-out. */
#include "wish.h"

#define LATE_MS 2000       /* how long the load may keep us waiting after its time */
#define SOON_MS 300        /* a change may begin that much before its time */
#define HORIZON_MS 60000   /* further away is not looked at */
#define FADE_MS 1000       /* then the announcement fades */

typedef struct { /* announcements not acted on before */
    int64_t now_w;   /* whose time has come */
    int64_t soon_w;  /* whose time will come so soon that the load may begin to show them */
    int64_t part_w;  /* of those, what falls into the time for which this cycle's setpoint holds */
} due_t;

/* The part of a setpoint's cycle that lies after the change lasts for this cycle only. */
static due_t due(tw_wish_state_t *state, const tw_now_t *now, int32_t lead_ms)
{
    int32_t cycle_ms = now->config->cycle_ms;
    int64_t mono_ms = tw_within(now->input->mono_ms, 0, 1LL << 60);
    int64_t mark_ms = tw_within(state->announced_until_mono_ms, mono_ms - HORIZON_MS, mono_ms + HORIZON_MS);
    int64_t last_ms = mark_ms;
    due_t sum = {0};
    for (int32_t i = 0; i < TW_ANNOUNCEMENTS; i++) {
        const tw_announcement_t *one = &now->input->announcement[i];
        int64_t delta_w = tw_within(one->delta_w, -TW_POWER_LIMIT_W, TW_POWER_LIMIT_W);
        if (delta_w == 0 || one->at_mono_ms <= mark_ms || one->at_mono_ms > mono_ms + HORIZON_MS) {
            continue;
        }
        int64_t after_ms = mono_ms + lead_ms + cycle_ms / 2 - one->at_mono_ms; /* of this cycle, after the change */
        if (after_ms >= cycle_ms) {
            sum.now_w += one->at_mono_ms > mono_ms - LATE_MS ? delta_w : 0; /* long ago: the load has shown it already */
            last_ms = one->at_mono_ms > last_ms ? one->at_mono_ms : last_ms;
        } else if (after_ms > -SOON_MS) {
            sum.soon_w += delta_w;
            sum.part_w += after_ms > 0 ? delta_w * after_ms / cycle_ms : 0;
        }
    }
    state->announced_until_mono_ms = last_ms;
    return sum;
}

/* The part of `shown_w` that lies between 0 and open_w, whichever sign that has. */
static int64_t seen_of(int64_t open_w, int64_t shown_w)
{
    return open_w > 0 ? tw_within(shown_w, 0, open_w) : tw_within(shown_w, open_w, 0);
}

int64_t tw_announced_w(tw_wish_state_t *state, const tw_now_t *now)
{
    const int32_t limit_w = (int32_t)TW_LOAD_LIMIT_W;
    const tw_announcement_t *one = now->input->announcement;
    if ((one[0].delta_w | one[1].delta_w | one[2].delta_w | one[3].delta_w | state->announced_w) == 0) { /* as nearly always */
        state->announced_left_ms = 0;
        return 0;
    }
    due_t news = due(state, now, now->dead_time_ms > now->poc_age_ms ? now->dead_time_ms - now->poc_age_ms : 0);
    int32_t left_ms = tw_within32((int64_t)state->announced_left_ms - now->dt_ms, 0, 60000);
    int64_t open_w = tw_within(tw_sane(state->announced_w, limit_w) + news.now_w, -limit_w, limit_w);
    int64_t base_w = open_w == 0 && news.soon_w == 0 ? now->load_w : tw_sane(state->announced_base_w, limit_w);
    int64_t seen_w = seen_of(open_w, now->load_w - base_w); /* it moves into the slow part */
    state->slow_mw += seen_w * 1000;
    state->slower_mw += seen_w * 1000;
    open_w -= seen_w;
    base_w += seen_w;
    bool fresh = news.now_w != 0 || news.soon_w != 0;
    state->announced_w = (int32_t)(left_ms == 0 && !fresh ? tw_towards(open_w, 0, now->dt_ms, FADE_MS) : open_w);
    state->announced_base_w = tw_within32(base_w, -limit_w, limit_w);
    state->announced_left_ms = fresh ? now->dead_time_ms + LATE_MS : left_ms;
    return state->announced_w + seen_of(news.part_w, news.soon_w - seen_of(news.soon_w, now->load_w - base_w));
}
