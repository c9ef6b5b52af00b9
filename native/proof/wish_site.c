/* The site functions of the clever half: no fault for any state, any input and any view, and answers that the next one can add up. */
#include "wish.h"

#include "../asked.c"
#include "../centre.c"
#include "../demand.c"
#include "../droop.c"
#include "../genset.c"
#include "../reactive.c"
#include "../shave.c"

void prove_site_functions(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    GIVEN(site_accepted(&config) && wish_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now));
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    tw_wish_t wish = nondet_wish();
    int64_t load_w = nondet_int64();
    int64_t battery_w = nondet_int64();
    GIVEN(among(-TW_LOAD_LIMIT_W, load_w, TW_LOAD_LIMIT_W) && among(-WIDE, battery_w, WIDE));
    SHOW(load_w, load_w);
    SHOW(window_mj, state.window_mj);
    SHOW(grid_w, now.grid_w);
    SHOW(battery_w, battery_w);

    HOLDS(among(-4 * TW_LOAD_LIMIT_W, tw_asked_for_w(&now, load_w, &wish), 4 * TW_LOAD_LIMIT_W), "what is asked for is bounded");
    int64_t demand_w = tw_demand_allowed_w(&state, &now);
    HOLDS(among(0, demand_w, TW_LOAD_LIMIT_W), "what the demand window allows is bounded");
    int64_t wide_w = battery_w < 0 ? -battery_w : battery_w;
    wide_w = wide_w < 4 * TW_LOAD_LIMIT_W ? 4 * TW_LOAD_LIMIT_W : wide_w;
    HOLDS(among(-wide_w, tw_recharged(&state, &now, load_w, battery_w, &wish), wide_w), "recharging widens nothing");
    HOLDS(among(-wide_w, tw_shaved(&now, load_w, battery_w, demand_w, &wish), wide_w), "shaving widens nothing");
    HOLDS(among(-4 * TW_LOAD_LIMIT_W, tw_droop_w(&now, &wish), 4 * TW_LOAD_LIMIT_W), "droop is bounded");
    uint32_t signal = tw_genset(&state, &now);
    HOLDS(signal == 0U || signal == TW_SIGNAL_GENSET, "the generator is asked for, or not");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_centre(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    GIVEN(wish_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now));
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    tw_wish_t wish = nondet_wish();
    int64_t battery_w = nondet_int64();
    GIVEN(among(-4 * TW_LOAD_LIMIT_W, battery_w, 4 * TW_LOAD_LIMIT_W));
    HOLDS(among(-WIDE / 2, tw_centred(&state, &now, battery_w, &wish), WIDE / 2), "centring is bounded");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_reactive(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    GIVEN(config_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    tw_wish_t wish = nondet_wish();
    int64_t battery_w = nondet_int64();
    SHOW(battery_w, battery_w);
    SHOW(reactive_max_var, config.unit[0].reactive_max_var);
    SHOW(power_factor_permille, config.wish.power_factor_permille);
    (void)tw_reactive_permille(&now, battery_w, &wish);
    END;
}

/* The low-pass itself: no overflow within its range. That its answer lies between: between.smt2. */
void prove_towards(void)
{
    int64_t value = nondet_int64();
    int64_t goal = nondet_int64();
    int32_t dt_ms = nondet_int32();
    int32_t tau_ms = nondet_int32();
    GIVEN(towards_fits(value, goal, dt_ms, tau_ms));
    (void)tw_towards(value, goal, dt_ms, tau_ms);
    END;
}
