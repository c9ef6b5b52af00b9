/* The delay of the loop, measured while setpoints move: the delay at which the setpoints of the past look most like the
 * battery's measured power. A setpoint holds for one cycle, and a sample may fall anywhere into that: so what is measured
 * holds the half cycle already that this adds on average. What it means for a change of the load: the age of the meter's
 * sample plus the time from a setpoint to AC power.
 *
 * No word leaves this file but the delay, and the power that the battery had when the meter took its sample: meter and PCS
 * are read one after the other, and a moving battery would otherwise show up as a load. */
#include "wish.h"

#define MEMORY 64          /* cycles in which the setpoints moved */
#define COUNT_MIN 40       /* of them, before a delay is believed */
#define DEFAULT_CYCLES 3   /* until it is measured and the configuration does not know */
#define DEAD_TIME_MAX_MS 5000
#define AGE_MAX_MS 10000

static int32_t first(const tw_wish_state_t *state)
{
    return tw_within32(state->setpoint_index, 0, TW_DELAYS - 1);
}

/* Keeps the last setpoints, newest first, and how much they move. */
static bool moved(tw_wish_state_t *state, const tw_now_t *now)
{
    int32_t index = first(state);
    int64_t step_w = tw_size(now->before_w - state->setpoint_then_w[index]);
    index = index > 0 ? index - 1 : TW_DELAYS - 1;
    state->setpoint_index = index;
    state->setpoint_then_w[index] = state->setpoint_then_w[index + TW_DELAYS] = (int32_t)now->before_w;
    int64_t activity_w = tw_within(state->activity_w, 0, TW_LOAD_LIMIT_W);
    state->activity_w = tw_within32(activity_w - activity_w / 16 + step_w, 0, (int32_t)TW_LOAD_LIMIT_W);
    return state->activity_w > now->rating_w / 32;
}

/* Mean square error of each delay; returns the index of the least. Halves: a square of any difference fits. */
static int32_t least_error(tw_wish_state_t *state, int64_t power_w)
{
    const int32_t *then_w = &state->setpoint_then_w[first(state)];
    int32_t least = 0;
    for (int32_t i = 0; i < TW_DELAYS; i++) {
        int64_t error = power_w / 2 - then_w[i] / 2;
        int64_t before = state->delay_error[i];
        state->delay_error[i] = before - before / MEMORY + error * error / MEMORY;
        least = state->delay_error[i] < state->delay_error[least] ? i : least;
    }
    return least;
}

/* Vertex of the parabola through three errors, in 1/256 of a cycle from the middle one; -128..128. */
static int32_t vertex_q8(int64_t before, int64_t middle, int64_t after)
{
    int64_t left = before / 4096 - middle / 4096; /* both >= 0 at a minimum */
    int64_t right = after / 4096 - middle / 4096;
    left = tw_within(left, 0, 1LL << 52);
    right = tw_within(right, 0, 1LL << 52);
    return left + right == 0 ? 0 : tw_within32((left - right) * 128 / (left + right), -128, 128);
}

void tw_measure_dead_time(tw_wish_state_t *state, const tw_now_t *now)
{
    int32_t cycle_ms = now->config->cycle_ms;
    bool moving = moved(state, now);
    state->poc_age_q8_ms = (int32_t)tw_towards(tw_within(state->poc_age_q8_ms, 0, AGE_MAX_MS * 256),
                                               now->poc_age_ms * 256, 1, 15);
    if (!now->measured || !now->usable || !moving) {
        return;
    }
    int32_t least = least_error(state, tw_within(now->view->power_w, -TW_LOAD_LIMIT_W, TW_LOAD_LIMIT_W));
    int32_t count = tw_within32(state->delay_count, 0, COUNT_MIN);
    int32_t delay_q8 = (least + 1) * 256;
    if (least > 0 && least < TW_DELAYS - 1) {
        delay_q8 += vertex_q8(state->delay_error[least - 1], state->delay_error[least], state->delay_error[least + 1]);
    }
    int64_t actuation_q8 = tw_within((int64_t)delay_q8 * cycle_ms - now->pcs_age_ms * 256, 0, DEAD_TIME_MAX_MS * 256);
    state->delay_count = count < COUNT_MIN ? count + 1 : count;
    state->actuation_q8_ms =
        count < COUNT_MIN ? (int32_t)actuation_q8
                          : (int32_t)tw_towards(tw_within(state->actuation_q8_ms, 0, DEAD_TIME_MAX_MS * 256),
                                                actuation_q8, 1, 15);
}

int32_t tw_dead_time_ms(const tw_wish_state_t *state, const tw_now_t *now)
{
    if (state->delay_count < COUNT_MIN) {
        int32_t given_ms = now->config->wish.dead_time_ms;
        return given_ms > 0 ? given_ms : DEFAULT_CYCLES * now->config->cycle_ms;
    }
    int64_t sum_ms = (tw_within(state->actuation_q8_ms, 0, DEAD_TIME_MAX_MS * 256) +
                      tw_within(state->poc_age_q8_ms, 0, AGE_MAX_MS * 256)) / 256;
    return tw_within32(sum_ms, 1, DEAD_TIME_MAX_MS);
}

/* The setpoint that stood this long ago, straight between cycles; the first of them was given one cycle ago. */
static int64_t setpoint_then_w(const tw_wish_state_t *state, int64_t ago_ms, int32_t cycle_ms)
{
    int64_t place_q8 = tw_within(ago_ms * 256 / cycle_ms - 256, 0, (TW_DELAYS - 1) * 256 - 1);
    const int32_t *then_w = &state->setpoint_then_w[first(state) + place_q8 / 256];
    return then_w[0] + ((int64_t)then_w[1] - then_w[0]) * (place_q8 % 256) / 256;
}

int64_t tw_misaligned_w(const tw_wish_state_t *state, const tw_now_t *now)
{
    if (state->delay_count < COUNT_MIN) {
        return 0;
    }
    int32_t cycle_ms = now->config->cycle_ms;
    int64_t actuation_ms = tw_within(state->actuation_q8_ms, 0, DEAD_TIME_MAX_MS * 256) / 256;
    return setpoint_then_w(state, actuation_ms + now->poc_age_ms, cycle_ms) -
           setpoint_then_w(state, actuation_ms + now->pcs_age_ms, cycle_ms);
}
