/* What is asked of the battery before the site's own rules: by hand, by a plan, or by self-consumption. */
#include "wish.h"

int64_t tw_asked_for_w(const tw_now_t *now, int64_t load_w, tw_wish_t *wish)
{
    const tw_input_t *input = now->input;
    int64_t wish_w = tw_within(input->wish_w, -8LL * TW_POWER_LIMIT_W, 8LL * TW_POWER_LIMIT_W);
    if (input->wish_left_ms > 0) {
        switch (input->wish_kind) {
        case TW_WISH_MANUAL:
            wish->functions |= 1U << TW_FUNCTION_MANUAL;
            return wish_w;
        case TW_WISH_BATTERY:
            wish->functions |= 1U << TW_FUNCTION_PLAN;
            return wish_w;
        case TW_WISH_GRID:
            wish->functions |= 1U << TW_FUNCTION_PLAN;
            return load_w - wish_w;
        default:
            break;
        }
    }
    if (now->config->wish.self_consumption != 0) {
        wish->functions |= 1U << TW_FUNCTION_SELF_CONSUMPTION;
        return load_w - now->config->wish.grid_target_w;
    }
    return 0;
}
