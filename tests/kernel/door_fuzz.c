/* The guard with a wish half that answers any bits at all, on any input and any state: no undefined behaviour, and no power that
 * is not allowed. Linked before the kernel's own wish half, under the sanitizers, by test_abi.py. The seed is fixed. */
#include <stdio.h>

#include "door.h"

static uint64_t seed = 88172645463325252ULL;

static uint32_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11);
}

static uint32_t word(void)
{
    const uint32_t odd[8] = {0U, 1U, 0xFFFFFFFFU, 0x7FFFFFFFU, 0x80000000U, 100U, 5000U, 100000000U};
    return draw() & 1U ? odd[draw() & 7U] : draw() >> (draw() & 31U);
}

static void fill(void *at, size_t size)
{
    for (size_t i = 0; i < size / 4; i++) {
        ((uint32_t *)at)[i] = word();
    }
}

bool tw_wish_config_ok(const tw_config_t *config)
{
    return config != NULL;
}

void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view,
             tw_wish_t *wish)
{
    (void)config, (void)input, (void)view;
    fill(wish, sizeof *wish);
    ((uint32_t *)state)[draw() % (sizeof *state / 4)] = word();
}

static const tw_unit_config_t UNIT = {
    50000, 50000, 1000, 10000, 2000, 1000, 9500, 0, 200, 100, 2000, 2500, 2800, 2950, 3450, 3550, 3650, 50,
    6000, 6720, 8520, 8760, -200, 0, 100, 400, 500, 450, 550, 600, 20, 50, 80, 160, 400, 80, 120, 200, 500, 100,
    5000, 2000, 5000, 10000, 5000, 1000, 5000, 20000};
static const tw_unit_input_t HEALTHY = {
    50, 300, 18, 33, 0, 7680, 7680, 0, 5500, 600, 600, 3290, 3300, 240, 260, 2000, TW_UNKNOWN, 0};

static void site_of(tw_config_t *config, int units)
{
    *config = (tw_config_t){TW_ABI, units, 100, 80000, 100000, 0, 1000000, 50000, 10000, 1500, 3000, 1950, 2600, 47500,
                            51500, 5000, 1, 2000, 1000, 1000, 2000, 2000, 2000, 4000, 0, 2, 1, {0}, {{0}}};
    for (int i = 0; i < units; i++) {
        config->unit[i] = UNIT;
    }
    if (draw() & 1U) { /* a value changed: many of these are still a configuration */
        ((uint32_t *)config)[3 + draw() % (sizeof *config / 4 - 3)] = word();
    }
}

static void healthy(tw_input_t *input)
{
    input->commands = 1;
    input->flags = 0;
    input->io_age_ms = input->poc_age_ms = 50;
    input->poc_voltage_dv = 2300;
    input->poc_frequency_mhz = 50000;
    for (int i = 0; i < TW_UNITS; i++) {
        input->unit[i] = HEALTHY;
    }
}

static const char *wrong(const tw_config_t *config, const tw_state_t *state, const tw_output_t *output)
{
    int64_t sum_w = 0;
    int charging = 0, discharging = 0;
    for (int i = 0; i < TW_UNITS; i++) {
        const tw_unit_output_t *unit = &output->unit[i];
        int64_t set_w = unit->setpoint_w;
        if (set_w > unit->discharge_max_w || -set_w > unit->charge_max_w) {
            return "a setpoint outside its unit's band";
        }
        if (set_w > 0 && (i >= config->unit_count || set_w > config->unit[i].power_discharge_max_w)) {
            return "a discharge beyond the rating";
        }
        if (set_w < 0 && (i >= config->unit_count || -set_w > config->unit[i].power_charge_max_w)) {
            return "a charge beyond the rating";
        }
        bool open = unit->charge_max_w != 0 || unit->discharge_max_w != 0;
        if (open && (unit->mode != TW_MODE_RUN || unit->latched != 0U || state->latched != 0U)) {
            return "a band out of RUN";
        }
        charging |= set_w < 0;
        discharging |= set_w > 0;
        sum_w += set_w;
    }
    if (charging && discharging) {
        return "both directions at once";
    }
    return sum_w == output->battery_w ? NULL : "shares that do not add up";
}

static long run_round(int round)
{
    static tw_config_t config;
    static tw_state_t state;
    static tw_input_t input;
    static tw_output_t output;
    long powered = 0;
    site_of(&config, 1 + (int)(draw() % TW_UNITS));
    fill(&input, sizeof input);
    if (round & 2) { /* a healthy site from the beginning, or nearly every round ends in a latch */
        healthy(&input);
    } else if ((round & 4) == 0) {
        fill(&config, sizeof config);
    }
    if (tw_init(&config, &state) == TW_OK && (round & 1)) {
        fill(&state, sizeof state);
    }
    for (int cycle = 0; cycle < 40; cycle++) {
        if (cycle == 1) {
            healthy(&input);
        }
        if (cycle > 20) {
            ((uint32_t *)&input)[2 + draw() % (sizeof input / 4 - 2)] = word();
        }
        input.mono_ms = (int64_t)((uint64_t)state.mono_ms + (draw() % 9U ? 100U : draw() % 300U));
        fill(&output, sizeof output);
        tw_step(&config, &state, &input, &output);
        const char *text = wrong(&config, &state, &output);
        if (text != NULL) {
            printf("round %d cycle %d: %s\n", round, cycle, text);
            return -1;
        }
        powered += output.battery_w != 0;
    }
    tw_gate_rule_t rules[2];
    tw_write_t write;
    int64_t written[2] = {INT64_MIN, (int64_t)draw()};
    fill(rules, sizeof rules);
    fill(&write, sizeof write);
    rules[1].function = write.function = 6;
    rules[1].port_index = write.port_index;
    rules[1].address = write.address;
    rules[1].reg = write.reg;
    rules[1].count = write.count;
    (void)tw_tx_allowed(rules, written, (int32_t)(draw() & 2U), &output, &write);
    return powered;
}

int main(void)
{
    long powered = 0;
    for (int round = 0; round < 12000; round++) {
        long found = run_round(round);
        if (found < 0) {
            return 1;
        }
        powered += found;
    }
    printf("%ld cycles with power\n", powered);
    return powered > 20000 ? 0 : 2; /* a fuzz that never runs the battery proves nothing */
}
