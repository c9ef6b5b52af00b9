/* The period predictor: no fault for any state, any deviation of a cycle; smoothing's state is left alone. */
#include "wish.h"

#include "../predict.c"

void prove_predicted(void)
{
    tw_config_t config;
    GIVEN(site_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now) && dead_time_fits(now.dead_time_ms));
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    bool agrees;
    (void)tw_predicted(&state, &now, any_between(-32767, 32767), &agrees);
    HOLDS(smooth_kept(&before, &state) && slow_kept(&before, &state), "smoothing's own state is left alone");
    END;
}
