/* The demand window: what the grid may still give on average until the window ends, so that the window's average does not
 * exceed the agreed one, or the peak that is billed anyway. The energy so far is counted here from the POC meter; what
 * passed before the first look at a window counts as taken at the agreed power. */
#include "wish.h"

#define WINDOW_MS 900000    /* a quarter of an hour, as it is billed */
#define LEFT_MIN_MS 5000    /* the last seconds are not used to make up for the rest */
#define WINDOW_MJ_MAX (TW_LOAD_LIMIT_W * WINDOW_MS)

int64_t tw_demand_allowed_w(tw_wish_state_t *state, const tw_now_t *now)
{
    int32_t agreed_w = now->config->wish.demand_max_w;
    int32_t left_ms = tw_within32(now->input->window_left_ms, 0, WINDOW_MS);
    bool known = (state->flags & (uint32_t)TW_WISH_WINDOW) != 0;
    if (agreed_w == 0 || left_ms == 0) {
        state->flags &= ~(uint32_t)TW_WISH_WINDOW;
        return TW_LOAD_LIMIT_W;
    }
    if (now->input->billed_peak_w > agreed_w) {
        agreed_w = tw_within32(now->input->billed_peak_w, 0, TW_POWER_LIMIT_W);
    }
    if (!known || left_ms > state->window_before_ms) { /* a new window */
        int64_t passed_ms = known && left_ms > WINDOW_MS - 2 * LEFT_MIN_MS ? 0 : WINDOW_MS - left_ms;
        state->window_mj = agreed_w * passed_ms;
    } else {
        state->window_mj = tw_within(state->window_mj, -WINDOW_MJ_MAX, WINDOW_MJ_MAX) + now->grid_w * now->dt_ms;
    }
    state->flags |= (uint32_t)TW_WISH_WINDOW;
    state->window_before_ms = left_ms;
    int64_t free_mj = (int64_t)agreed_w * WINDOW_MS - state->window_mj;
    return tw_within(free_mj / (left_ms < LEFT_MIN_MS ? LEFT_MIN_MS : left_ms), 0, TW_LOAD_LIMIT_W);
}
