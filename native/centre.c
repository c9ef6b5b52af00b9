/* State of charge: a slow push towards its target while nobody plans, and the full charge that calibrates the BMS. */
#include "wish.h"

#define PUSH_PART 8 /* at the edge of the band the push is an eighth of the rating: about 1 h for a 2 h battery */

/* Proportional inside the band, constant outside; nothing while a plan owns the energy or recharging does. */
static int64_t centring_w(tw_wish_state_t *state, const tw_now_t *now, uint32_t functions)
{
    const uint32_t busy = 1U << TW_FUNCTION_PLAN | 1U << TW_FUNCTION_SELF_CONSUMPTION | 1U << TW_FUNCTION_RECHARGE |
                          1U << TW_FUNCTION_PEAK_SHAVING | 1U << TW_FUNCTION_DEMAND_WINDOW;
    int64_t band_cpct = now->config->wish.soc_band_cpct;
    if (!now->usable || (functions & busy) != 0 || state->anchor_cpct <= 0) {
        state->anchor_cpct = now->soc_cpct; /* what was stored on purpose stays stored */
    }
    if (band_cpct == 0 || (functions & busy) != 0) {
        return 0;
    }
    int32_t target_cpct = now->config->wish.soc_target_cpct;
    target_cpct = target_cpct > 0 ? target_cpct : tw_within32(state->anchor_cpct, 0, 10000);
    int64_t off_cpct = tw_within(now->soc_cpct - target_cpct, -band_cpct, band_cpct);
    return now->rating_w * off_cpct / (PUSH_PART * band_cpct);
}

/* True while it charges to the top; done once it has been full for the hold time, until the command goes. */
static bool calibrating(tw_wish_state_t *state, const tw_now_t *now)
{
    bool commanded = (now->input->commands & (uint32_t)TW_COMMAND_CALIBRATE) != 0;
    if (!commanded || now->config->wish.calibrate_w == 0) {
        state->calibrate_ms = 0;
        state->flags &= ~(uint32_t)TW_WISH_CALIBRATED;
        return false;
    }
    int32_t held_ms = tw_within32(state->calibrate_ms, 0, TW_AGE_NEVER - 2000);
    state->calibrate_ms = now->view->full ? held_ms + now->dt_ms : held_ms;
    if (state->calibrate_ms >= now->config->wish.calibrate_hold_ms && now->view->full) {
        state->flags |= (uint32_t)TW_WISH_CALIBRATED;
    }
    return (state->flags & (uint32_t)TW_WISH_CALIBRATED) == 0;
}

int64_t tw_centred(tw_wish_state_t *state, const tw_now_t *now, int64_t battery_w, tw_wish_t *wish)
{
    if (calibrating(state, now)) {
        wish->functions |= 1U << TW_FUNCTION_CALIBRATION;
        return battery_w < -(int64_t)now->config->wish.calibrate_w ? battery_w : -(int64_t)now->config->wish.calibrate_w;
    }
    wish->signals |= (state->flags & (uint32_t)TW_WISH_CALIBRATED) != 0 ? (uint32_t)TW_SIGNAL_CALIBRATED : 0U;
    int64_t push_w = centring_w(state, now, wish->functions);
    wish->functions |= push_w != 0 ? 1U << TW_FUNCTION_CENTRING : 0U;
    return battery_w + push_w;
}
