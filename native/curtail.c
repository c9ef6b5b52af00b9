/* The limit of curtailable PV: what the battery cannot take of an export that is not allowed. Falls at once, is back in a
 * minute. */
#include "inner.h"

#define RETURN_MS 60000

static int32_t limit_now(const tw_config_t *config, int32_t limit_w, const tw_input_t *input, const tw_cycle_t *cycle,
                         const tw_output_t *output)
{
    int32_t rated_w = config->pv_rated_w;
    int32_t excess_w = output->battery_w - output->net_load_w - config->export_max_w;
    if (excess_w > 0) {
        int32_t base_w = tw_older(input->pv_age_ms, config->poc_age_max_ms) ? limit_w : input->pv_power_w;
        return tw_clamp((int64_t)tw_least(limit_w, base_w) - excess_w, 0, rated_w);
    }
    int64_t step_w = tw_part(rated_w, cycle->dt_ms, RETURN_MS);
    return tw_clamp(limit_w + (step_w < 1 ? 1 : step_w), 0, rated_w);
}

void tw_curtail(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_cycle_t *cycle,
                tw_output_t *output)
{
    int32_t rated_w = config->pv_rated_w;
    if (rated_w == 0) { /* none to curtail */
        state->pv_limit_w = output->pv_limit_w = 0;
        return;
    }
    bool lost = (state->active & TW_SITE_BIT(POC_STALE)) != 0U;
    int32_t limit_w = tw_clamp(state->pv_limit_w, 0, rated_w);
    if (lost) {
        limit_w = tw_least(config->pv_lost_max_w, rated_w);
    } else {
        limit_w = limit_now(config, limit_w, input, cycle, output);
    }
    output->why |= lost || limit_w < rated_w ? TW_SITE_BIT(PV_CURTAILED) : 0U;
    state->pv_limit_w = output->pv_limit_w = limit_w;
}
