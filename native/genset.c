/* The generator is asked for by state of charge, also in an island, and runs for a minimum time once asked. */
#include "wish.h"

uint32_t tw_genset(tw_wish_state_t *state, const tw_now_t *now)
{
    const tw_wish_config_t *config = &now->config->wish;
    if (config->genset_start_soc_cpct == 0) { /* there is none */
        state->genset_ms = 0;
        state->flags &= ~(uint32_t)TW_WISH_GENSET;
        return 0;
    }
    bool on = (state->flags & (uint32_t)TW_WISH_GENSET) != 0;
    int32_t ran_ms = tw_within32((int64_t)state->genset_ms + now->dt_ms, 0, TW_AGE_NEVER);
    bool known = now->usable || now->view->island; /* else SOC is the target's own value */
    if (!on && known && now->soc_cpct <= config->genset_start_soc_cpct) {
        on = true;
        ran_ms = 0;
    } else if (on && known && now->soc_cpct >= config->genset_stop_soc_cpct && ran_ms >= config->genset_min_run_ms) {
        on = false;
    }
    state->genset_ms = on ? ran_ms : 0;
    state->flags = on ? state->flags | (uint32_t)TW_WISH_GENSET : state->flags & ~(uint32_t)TW_WISH_GENSET;
    return on ? (uint32_t)TW_SIGNAL_GENSET : 0U;
}
