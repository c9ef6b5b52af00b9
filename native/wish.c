/* The clever half: in which order the site functions act, and what of it crosses the door. Whatever it says, the guard
 * holds; so it may be wrong, but never undefined: it fills the whole of `wish` for any input and any state. */
#include "wish.h"

#define AGE_MAX_MS 10000

/* This cycle with every number inside its range. */
static tw_now_t look(const tw_config_t *config, const tw_input_t *input, const tw_view_t *view)
{
    tw_now_t now = {.config = config, .input = input, .view = view};
    for (int32_t i = 0; i < config->unit_count && i < TW_UNITS; i++) {
        const tw_unit_config_t *unit = &config->unit[i];
        now.rating_w += unit->power_charge_max_w > unit->power_discharge_max_w ? unit->power_charge_max_w
                                                                               : unit->power_discharge_max_w;
    }
    now.rating_w = tw_within(now.rating_w, 1, TW_LOAD_LIMIT_W);
    now.load_w = view->net_load_w;
    now.grid_w = tw_within(input->poc_power_w, -TW_POWER_LIMIT_W, TW_POWER_LIMIT_W);
    now.before_w = view->before_w;
    now.dt_ms = view->dt_ms;
    now.poc_age_ms = input->poc_age_ms < 0 || input->poc_age_ms > AGE_MAX_MS ? AGE_MAX_MS : input->poc_age_ms; /* < 0: never */
    now.pcs_age_ms = view->pcs_age_ms > AGE_MAX_MS ? AGE_MAX_MS : view->pcs_age_ms;
    now.soc_cpct = view->soc_cpct;
    now.measured = view->measured;
    now.usable = view->usable;
    now.smoothing = config->wish.ramp_up_max_w_per_s > 0 || config->wish.ramp_down_max_w_per_s > 0;
    return now;
}

static int32_t stage_w(int64_t power_w)
{
    return (int32_t)tw_within(power_w, -TW_LOAD_LIMIT_W, TW_LOAD_LIMIT_W);
}

/* The functions that reckon with a load: with smoothing that is its mean, without it the load of this cycle. */
static int64_t site_functions_w(tw_wish_state_t *state, const tw_now_t *now, int64_t load_w, tw_wish_t *wish)
{
    int64_t demand_w = tw_demand_allowed_w(state, now);
    int64_t battery_w = tw_asked_for_w(now, load_w, wish);
    wish->stage_w[TW_STAGE_ASKED] = stage_w(battery_w);
    if ((wish->functions & (1U << TW_FUNCTION_MANUAL)) != 0) {
        return battery_w;
    }
    battery_w = tw_recharged(state, now, load_w, battery_w, wish);
    battery_w = tw_shaved(now, load_w, battery_w, demand_w, wish);
    wish->stage_w[TW_STAGE_SHAVED] = stage_w(battery_w);
    battery_w = tw_centred(state, now, battery_w, wish);
    battery_w = tw_shaved(now, load_w, battery_w, demand_w, wish); /* centring raises no peak */
    wish->stage_w[TW_STAGE_CENTRED] = stage_w(battery_w);
    return battery_w;
}

static int64_t choose_w(tw_wish_state_t *state, const tw_now_t *now, tw_wish_t *wish)
{
    const int64_t limit_mw = TW_LOAD_LIMIT_W * 1000;
    bool started = (state->flags & (uint32_t)TW_WISH_STARTED) != 0;
    int64_t mean_w = started ? tw_sane(state->mean_mw, limit_mw) / 1000 : now->load_w;
    int64_t load_w = now->smoothing ? mean_w : now->load_w;
    int64_t battery_w = site_functions_w(state, now, load_w, wish);
    bool manual = (wish->functions & (1U << TW_FUNCTION_MANUAL)) != 0;
    if (manual || now->view->island) {
        battery_w = manual ? battery_w : 0; /* in an island the unit follows the load by itself */
        for (int32_t i = TW_STAGE_SHAVED; i <= TW_STAGE_SMOOTHED; i++) {
            wish->stage_w[i] = stage_w(battery_w);
        }
        state->flags &= ~(uint32_t)TW_WISH_RUNNING;
        return battery_w;
    }
    int64_t droop_w = tw_droop_w(now, wish);
    wish->stage_w[TW_STAGE_DROOP] = stage_w(battery_w + droop_w);
    if (now->smoothing) {
        battery_w = tw_smoothed(state, now, load_w - battery_w, droop_w, wish);
    }
    wish->stage_w[TW_STAGE_SMOOTHED] = stage_w(battery_w + droop_w);
    return battery_w + droop_w;
}

void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view,
             tw_wish_t *wish)
{
    *wish = (tw_wish_t){0};
    tw_now_t now = look(config, input, view);
    tw_measure_delay(state, &now);
    now.dead_time_ms = tw_dead_time_ms(state, &now);
    now.load_w = tw_within(now.load_w + tw_misaligned_w(state, &now), -TW_LOAD_LIMIT_W, TW_LOAD_LIMIT_W);
    int64_t battery_w = choose_w(state, &now, wish);
    wish->battery_w = stage_w(battery_w);
    wish->reactive_permille = tw_reactive_permille(&now, battery_w, wish);
    wish->signals |= tw_genset(state, &now);
    wish->signals |= view->island && config->safe_grid == TW_SAFE_ISLAND ? (uint32_t)TW_SIGNAL_ISLAND : 0U;
    wish->dead_time_ms = now.smoothing ? now.dead_time_ms : 0;
}
