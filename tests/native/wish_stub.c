/* Stands in for the wish half: answers what the vector says, so that the guard is tried with any bits at all. */
#include "door.h"

extern tw_wish_t replay_wish;

void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view,
             tw_wish_t *wish)
{
    (void)config;
    (void)input;
    state->trim_mw = view->net_load_w * 31 + view->dt_ms; /* what the guard shows is part of what is compared */
    state->mean_mw = view->before_w * INT64_C(7) + view->power_w;
    state->slow_mw = view->pcs_age_ms * INT64_C(5) + view->soc_cpct;
    state->fast_mw = view->band_min_w * INT64_C(3) + view->band_max_w;
    state->reference_mw = view->cell_voltage_max_mv;
    state->flags = (uint32_t)view->usable | (uint32_t)view->measured << 1 | (uint32_t)view->full << 2
        | (uint32_t)view->island << 3;
    *wish = replay_wish;
}

bool tw_wish_config_ok(const tw_config_t *config)
{
    return config->wish.dead_time_ms >= 0;
}
