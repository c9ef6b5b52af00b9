/* The dead time of the loop: no fault for any state, any input and any view; and a dead time that others can reckon with. */
#include "wish.h"

#include "../deadtime.c"

void prove_delay(void)
{
    tw_config_t config;
    GIVEN(site_accepted(&config) && wish_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now));
    tw_wish_state_t state;
    tw_measure_delay(&state, &now);
    HOLDS(dead_time_fits(tw_dead_time_ms(&state, &now)), "a dead time is within 1 ms and 5 s");
    END;
}

void prove_align(void)
{
    tw_config_t config;
    GIVEN(site_accepted(&config) && wish_accepted(&config));
    tw_input_t input;
    tw_view_t view = nondet_view();
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now));
    tw_wish_state_t state;
    HOLDS(among(-WIDE, tw_misaligned_w(&state, &now), WIDE), "what the alignment adds can be added");
    END;
}
