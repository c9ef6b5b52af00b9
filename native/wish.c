/* The wish as it is asked for, without site functions: a wish of the battery, or of the grid. */
#include "door.h"

bool tw_wish_config_ok(const tw_config_t *config)
{
    (void)config;
    return true;
}

void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view,
             tw_wish_t *wish)
{
    (void)config;
    (void)state;
    int64_t battery_w = 0;
    if (input->wish_left_ms > 0 && input->wish_kind == TW_WISH_GRID) {
        battery_w = view->net_load_w - input->wish_w;
    } else if (input->wish_left_ms > 0 && (input->wish_kind == TW_WISH_BATTERY || input->wish_kind == TW_WISH_MANUAL)) {
        battery_w = input->wish_w;
    }
    const int64_t most_w = (int64_t)TW_UNITS * TW_POWER_LIMIT_W;
    battery_w = battery_w > most_w ? most_w : battery_w < -most_w ? -most_w : battery_w;
    *wish = (tw_wish_t){.battery_w = (int32_t)battery_w};
}
