/* Stands in for the wish half: answers what the vector says, so that the guard is tried with any bits at all. */
#include "door.h"

extern tw_wish_t replay_wish;
extern tw_view_t replay_view;

void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view,
             tw_wish_t *wish)
{
    (void)config;
    (void)state;
    (void)input;
    replay_view.net_load_w = view->net_load_w; /* one by one: what lies between the fields is nobody's */
    replay_view.dt_ms = view->dt_ms;
    replay_view.before_w = view->before_w;
    replay_view.power_w = view->power_w;
    replay_view.pcs_age_ms = view->pcs_age_ms;
    replay_view.band_min_w = view->band_min_w;
    replay_view.band_max_w = view->band_max_w;
    replay_view.soc_cpct = view->soc_cpct;
    replay_view.usable = view->usable;
    replay_view.measured = view->measured;
    replay_view.full = view->full;
    replay_view.island = view->island;
    *wish = replay_wish;
}

bool tw_wish_config_ok(const tw_config_t *config)
{
    return config->wish.dead_time_ms >= 0;
}
