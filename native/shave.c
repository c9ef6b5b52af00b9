/* Peak shaving: the grid held at a limit from below, and recharging up to a lower one while there is room. The limit is
 * the site's own, or what the demand window still allows, whichever is lower. */
#include "wish.h"

#define RECHARGE_GAP_CPCT 100 /* charged to the target, it waits until 1 % is missing */

/* Recharging has a hysteresis on SOC, so that it does not come and go with one count. */
static bool recharging(tw_wish_state_t *state, const tw_now_t *now)
{
    int32_t target_cpct = now->config->wish.soc_target_cpct;
    if (now->soc_cpct >= target_cpct) {
        state->flags &= ~(uint32_t)TW_WISH_RECHARGING;
    } else if (now->soc_cpct <= target_cpct - RECHARGE_GAP_CPCT) {
        state->flags |= (uint32_t)TW_WISH_RECHARGING;
    }
    return (state->flags & (uint32_t)TW_WISH_RECHARGING) != 0;
}

int64_t tw_recharged(tw_wish_state_t *state, const tw_now_t *now, int64_t load_w, int64_t battery_w, tw_wish_t *wish)
{
    int64_t recharge_w = now->config->wish.recharge_w;
    bool planned = (wish->functions & (1U << TW_FUNCTION_PLAN)) != 0; /* a plan keeps its own account of energy */
    if (recharge_w > 0 && !planned && recharging(state, now) && load_w - battery_w < recharge_w) {
        battery_w = load_w - recharge_w;
        wish->functions |= 1U << TW_FUNCTION_RECHARGE;
    }
    return battery_w;
}

int64_t tw_shaved(const tw_now_t *now, int64_t load_w, int64_t battery_w, int64_t demand_w, tw_wish_t *wish)
{
    int32_t peak_w = now->config->wish.peak_shave_w;
    if (peak_w > 0 && load_w - battery_w > peak_w) {
        battery_w = load_w - peak_w;
        wish->functions |= 1U << TW_FUNCTION_PEAK_SHAVING;
    }
    if (load_w - battery_w > demand_w) {
        battery_w = load_w - demand_w;
        wish->functions |= 1U << TW_FUNCTION_DEMAND_WINDOW;
    }
    return battery_w;
}
