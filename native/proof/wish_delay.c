/* The dead time of the loop: no fault for any state, any input and any view; and a dead time that others can reckon with. */
#include "wish.h"

int32_t any_first(const tw_wish_state_t *state);
bool any_moved(tw_wish_state_t *state, const tw_now_t *now);
void any_compare(tw_wish_state_t *state, int32_t power_w);
int32_t any_deepest(const uint64_t *error);
int32_t any_vertex(uint64_t before, uint64_t middle, uint64_t after);

#include "../deadtime.c"

static tw_config_t config;
static tw_input_t input;
static tw_view_t view;

static tw_now_t delay_now(void)
{
    tw_config_t any;
    config = any;
    view = nondet_view();
    GIVEN(site_accepted(&config) && wish_accepted(&config));
    tw_now_t now = any_now(&config, &input, &view);
    GIVEN(now_fits(&now));
    return now;
}

bool any_moved(tw_wish_state_t *state, const tw_now_t *now)
{
    (void)now;
    state->setpoint_index = nondet_int32();
    return nondet_bool();
}

void any_compare(tw_wish_state_t *state, int32_t power_w)
{
    (void)power_w;
    for (int32_t i = 0; i < TW_DELAYS; i++) {
        state->delay_error[i] = nondet_uint64();
    }
}

int32_t any_deepest(const uint64_t *error)
{
    (void)error;
    return any_between(-1, TW_DELAYS - 2);
}

int32_t any_vertex(uint64_t before, uint64_t middle, uint64_t after)
{
    (void)before;
    (void)middle;
    (void)after;
    return any_between(-128, 128);
}

void prove_moved(void)
{
    tw_now_t now = delay_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    (void)moved(&state, &now);
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

/* Any values, in one place; `delay: ring` has any place. */
int32_t any_first(const tw_wish_state_t *state)
{
    (void)state;
    return 0;
}

void prove_compare(void)
{
    tw_wish_state_t state;
    compare(&state, nondet_int32());
    END;
}

void prove_ring(void)
{
    tw_wish_state_t state = {0};
    state.setpoint_index = nondet_int32();
    SHOW(setpoint_index, state.setpoint_index);
    compare(&state, 0);
    HOLDS(first(&state) >= 0 && first(&state) < TW_DELAYS, "the newest setpoint has a place");
    END;
}

void prove_deepest(void)
{
    tw_wish_state_t state;
    int32_t least = deepest(state.delay_error);
    int32_t vertex = vertex_q8(nondet_uint64(), nondet_uint64(), nondet_uint64());
    SHOW(least, least);
    HOLDS(least >= -1 && least <= TW_DELAYS - 2, "a valley has a neighbour on its right");
    HOLDS(among(-128, vertex, 128), "a vertex is within half a cycle");
    END;
}

void prove_delay(void)
{
    tw_now_t now = delay_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    tw_measure_delay(&state, &now);
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}

void prove_align(void)
{
    tw_now_t now = delay_now();
    tw_wish_state_t state;
    const tw_wish_state_t before = state;
    int32_t dead_time_ms = tw_dead_time_ms(&state, &now);
    (void)tw_dead_time_known(&state, &now);
    SHOW(dead_time_ms, dead_time_ms);
    HOLDS(dead_time_fits(dead_time_ms), "a dead time is within 1 ms and 5 s");
    HOLDS(among(-WIDE, tw_misaligned_w(&state, &now), WIDE), "what the alignment adds can be added");
    HOLDS(bands_kept(&before, &state), "the governor's filters are left alone");
    END;
}
