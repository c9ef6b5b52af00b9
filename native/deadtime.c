/* The delay of the loop, measured while setpoints move: the delay at which the setpoints of the past look most like the
 * battery's measured power. A setpoint holds for one cycle, and a sample may fall anywhere into that: so what is measured
 * holds the half cycle already that this adds on average. What it means for a change of the load: the age of the meter's
 * sample plus the time from a setpoint to AC power.
 *
 * Beside it, the power that the battery had when the meter took its sample, from its samples: meter and PCS are read
 * one after the other, and a moving battery would otherwise show up as a load. */
#include "wish.h"

#define MOVED_PART 1024    /* of the rating, in that span: else there is nothing to see */
#define MEMORY_BITS 5      /* 32 times; compared in every second cycle in which the setpoints move */
#define LOOK_CYCLES 4      /* the delay is looked up in one of so many */
#define COUNT_MIN 16       /* times, before it is believed */
#define DEFAULT_CYCLES 3   /* until it is measured and the configuration does not know */
#define DEAD_TIME_MAX_MS 5000
#define QUICK_CYCLES 8
#define SPAN 16            /* cycles in which movement is summed */
#define LIMIT_MW (TW_LOAD_LIMIT_W * 1000)

static int32_t first(const tw_wish_state_t *state)
{
    return tw_within32(state->setpoint_index, 0, TW_DELAYS - 1);
}

/* Without its slow part: a PCS that is a percent off, or a long slope, says nothing about delay. Both are within
 * TW_LOAD_LIMIT_W, so it fits. */
static int32_t quick_w(int64_t *slow_mw, int64_t power_w)
{
    int64_t slow = tw_sane(*slow_mw, LIMIT_MW);
    *slow_mw = slow + (power_w * 1000 - slow) / QUICK_CYCLES;
    return (int32_t)(power_w - *slow_mw / 1000);
}

/* The sum of the last sizes, of any sum before. */
static int32_t summed(int64_t sum_w, int64_t size_w)
{
    return tw_within32(sum_w - sum_w / SPAN + size_w, 0, (int32_t)TW_LOAD_LIMIT_W);
}

/* Keeps the last setpoints, newest first. True if they move, and not so fast that a cycle is a large part of a period. */
static bool moved(tw_wish_state_t *state, const tw_now_t *now)
{
    int32_t setpoint_w = quick_w(&state->setpoint_slow_mw, now->before_w);
    int32_t index = first(state);
    int64_t step_w = tw_size((int64_t)setpoint_w - state->setpoint_then_w[index]);
    index = tw_next_place(index, TW_DELAYS);
    state->setpoint_index = index;
    state->setpoint_then_w[index] = state->setpoint_then_w[index + TW_DELAYS] = setpoint_w;
    state->steps_w = summed(state->steps_w, step_w);
    state->sizes_w = summed(state->sizes_w, tw_size(setpoint_w));
    return state->steps_w > now->rating_w / MOVED_PART && state->steps_w < state->sizes_w / 10 * 6;
}

/* Mean square error of each delay. Halves: a square of any difference fits. */
static void compare(tw_wish_state_t *state, int32_t power_w)
{
    const int32_t *then_w = &state->setpoint_then_w[first(state)];
    for (int32_t i = 0; i < TW_DELAYS; i++) {
        int64_t error = (int64_t)(power_w / 2) - then_w[i] / 2;
        uint64_t before = state->delay_error[i];
        state->delay_error[i] = before - (before >> MEMORY_BITS) + ((uint64_t)(error * error) >> MEMORY_BITS);
    }
}

/* The deepest valley of the errors, or -1 where another is half as deep: setpoints that repeat look right at two delays. */
static int32_t deepest(const uint64_t error[TW_DELAYS])
{
    int32_t deepest = -1;
    uint64_t least = UINT64_MAX;
    uint64_t second = UINT64_MAX;
    bool falling = true;
    for (int32_t i = 1; i <= TW_DELAYS; i++) {
        bool falls = i < TW_DELAYS && error[i] < error[i - 1];
        if (falling && !falls && error[i - 1] < second) {
            bool deeper = error[i - 1] < least;
            second = deeper ? least : error[i - 1];
            deepest = deeper ? i - 1 : deepest;
            least = deeper ? error[i - 1] : least;
        }
        falling = falls;
    }
    return deepest < TW_DELAYS - 1 && second / 2 >= least ? deepest : -1;
}

/* Vertex of the parabola through three errors, in 1/256 of a cycle from the middle one; -128..128. */
static int32_t vertex_q8(uint64_t before, uint64_t middle, uint64_t after)
{
    int64_t left = (int64_t)(before >> 12) - (int64_t)(middle >> 12); /* both >= 0 at a minimum */
    int64_t right = (int64_t)(after >> 12) - (int64_t)(middle >> 12);
    left = tw_within(left, 0, 1LL << 52);
    right = tw_within(right, 0, 1LL << 52);
    return left + right == 0 ? 0 : tw_within32((left - right) * 128 / (left + right), -128, 128);
}

void tw_measure_delay(tw_wish_state_t *state, const tw_now_t *now)
{
    int32_t cycle_ms = now->config->cycle_ms;
    bool moving = moved(state, now);
    if (now->measured) { /* a lost meter's age says nothing of the loop */
        state->poc_age_q8_ms = (int32_t)tw_towards(state->poc_age_q8_ms, now->poc_age_ms * 256, 1, 15);
    }
    int32_t quick = quick_w(&state->power_slow_mw, now->view->power_w);
    if (!now->measured || !now->usable || !moving) {
        return;
    }
    if (first(state) % 2 != 0) {
        return;
    }
    compare(state, quick);
    int32_t least = first(state) % LOOK_CYCLES == 0 ? deepest(state->delay_error) : -1;
    if (least < 0) {
        return;
    }
    int32_t count = tw_within32(state->delay_count, 0, COUNT_MIN);
    int32_t delay_q8 = (least + 1) * 256;
    if (least > 0) {
        delay_q8 += vertex_q8(state->delay_error[least - 1], state->delay_error[least], state->delay_error[least + 1]);
    }
    int64_t actuation_q8 = tw_within((int64_t)delay_q8 * cycle_ms - now->pcs_age_ms * 256, 0, DEAD_TIME_MAX_MS * 256);
    int64_t before_q8 = tw_within(state->actuation_q8_ms, 0, DEAD_TIME_MAX_MS * 256);
    bool near = tw_size(actuation_q8 - before_q8) <= (int64_t)cycle_ms * 256; /* setpoints that repeat mislead by a period */
    state->actuation_q8_ms = (int32_t)(count < COUNT_MIN ? actuation_q8
                                                         : tw_towards(before_q8, actuation_q8, 1, near ? 3 : 63));
    state->delay_count = count < COUNT_MIN ? count + 1 : count;
}

int32_t tw_dead_time_ms(const tw_wish_state_t *state, const tw_now_t *now)
{
    if (state->delay_count < COUNT_MIN) {
        int32_t given_ms = now->config->wish.dead_time_ms;
        return given_ms > 0 ? given_ms : DEFAULT_CYCLES * now->config->cycle_ms;
    }
    int64_t sum_q8_ms = (int64_t)state->actuation_q8_ms + state->poc_age_q8_ms;
    return tw_within32(tw_of_q8(sum_q8_ms), 1, DEAD_TIME_MAX_MS);
}

bool tw_dead_time_known(const tw_wish_state_t *state, const tw_now_t *now)
{
    return state->delay_count >= COUNT_MIN || now->config->wish.dead_time_ms > 0;
}

int64_t tw_misaligned_w(tw_wish_state_t *state, const tw_now_t *now)
{
    int32_t cycle_ms = now->config->cycle_ms;
    int32_t power_w = now->view->power_w;
    int32_t index = tw_next_place(state->power_index, TW_DELAYS);
    state->power_index = index;
    state->power_then_w[index] = state->power_then_w[index + TW_DELAYS] = power_w;
    int32_t older_ms = tw_within32(now->poc_age_ms - now->pcs_age_ms, -cycle_ms / 2, (TW_DELAYS - 2) * cycle_ms);
    const int32_t *then_w = &state->power_then_w[index + (older_ms > 0 ? older_ms / cycle_ms : 0)];
    int64_t part_ms = older_ms > 0 ? older_ms % cycle_ms : older_ms; /* a younger meter: straight on */
    int64_t aligned_w = then_w[0] + ((int64_t)then_w[1] - then_w[0]) * part_ms / cycle_ms;
    return aligned_w - power_w;
}
