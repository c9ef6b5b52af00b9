/* Frequency response: power by the deviation of the grid's frequency beyond a dead band. It passes the ramp limit by. */
#include "wish.h"

int64_t tw_droop_w(const tw_now_t *now, tw_wish_t *wish)
{
    const tw_wish_config_t *config = &now->config->wish;
    int32_t frequency_mhz = now->input->poc_frequency_mhz;
    if (config->frequency_nominal_mhz == 0 || frequency_mhz == TW_UNKNOWN || !now->measured) {
        return 0;
    }
    int64_t low_mhz = config->frequency_nominal_mhz - tw_within(frequency_mhz, 0, 1000000);
    int64_t beyond_mhz = tw_size(low_mhz) - config->droop_deadband_mhz;
    if (beyond_mhz <= 0) {
        return 0;
    }
    int64_t power_w = beyond_mhz * config->droop_w_per_hz / 1000;
    power_w = power_w > config->droop_max_w ? config->droop_max_w : power_w;
    wish->functions |= power_w != 0 ? 1U << TW_FUNCTION_DROOP : 0U;
    return low_mhz > 0 ? power_w : -power_w;
}
