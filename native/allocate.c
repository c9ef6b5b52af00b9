/* Shares the battery power among the units in proportion to what each has to give. Every share has the sign of the sum, so no
 * unit charges while another discharges, and the shares add up to the last watt. */
#include "inner.h"

void tw_allocate(const tw_config_t *config, int32_t battery_w, tw_output_t *output)
{
    int64_t left_w = battery_w < 0 ? -(int64_t)battery_w : battery_w;
    int64_t room_w = 0;
    for (int32_t i = 0; i < config->unit_count; i++) {
        room_w += battery_w < 0 ? output->unit[i].charge_max_w : output->unit[i].discharge_max_w;
    }
    for (int32_t i = 0; i < config->unit_count; i++) {
        int64_t has_w = battery_w < 0 ? output->unit[i].charge_max_w : output->unit[i].discharge_max_w;
        int64_t share_w = room_w > 0 ? left_w * has_w / room_w : 0;
        left_w -= share_w;
        room_w -= has_w;
        output->unit[i].setpoint_w = (int32_t)(battery_w < 0 ? -share_w : share_w);
    }
}
