/* Healthy units in RUN with a wish and a moving load: what a normal cycle costs. Run under callgrind by kernel.py. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"

static const tw_unit_config_t UNIT = {
    50000, 50000, 1000, 10000, 2000, 1000, 9500, 0, 200, 100, 2000, 2500, 2800, 2950, 3450, 3550, 3650, 50,
    6000, 6720, 8520, 8760, -200, 0, 100, 400, 500, 450, 550, 600, 20, 50, 80, 160, 400, 80, 120, 200, 500, 100,
    5000, 2000, 5000, 10000, 5000, 1000, 5000, 20000};
static const tw_unit_input_t HEALTHY = {
    50, 300, TW_PCS_RUNNING | TW_PCS_GUARDED, TW_BMS_CONNECTED | TW_BMS_GUARDED, 0, 7680, 7680, 0, 5500, 600, 600,
    3290, 3300, 240, 260, 2000, TW_UNKNOWN, 0};

static tw_config_t config_of(int units)
{
    tw_config_t config = {TW_ABI, units, 100, 80000 * units, 100000 * units, 0, 20000, 0, 0, 1500, 3000, 1950, 2600,
                          47500, 51500, 5000, 1, 2000, 1000, 10000, 10000, 8000, 6000, 4000, 0, 0, TW_SAFE_WARN,
                          {0}, {{0}}};
    config.wish.ramp_up_max_w_per_s = config.wish.ramp_down_max_w_per_s = 500;
    for (int i = 0; i < units; i++) {
        config.unit[i] = UNIT;
    }
    return config;
}

int main(int argc, char **argv)
{
    static tw_state_t state;
    static tw_output_t output;
    static tw_input_t input;
    const int cycles = argc > 1 ? atoi(argv[1]) : 1000;
    const int units = argc > 2 ? atoi(argv[2]) : 1;
    const tw_config_t config = config_of(units);
    input.commands = TW_COMMAND_RUN;
    input.io_age_ms = input.poc_age_ms = 50;
    input.poc_voltage_dv = 2300;
    input.poc_frequency_mhz = 50000;
    input.load_age_ms = input.pv_age_ms = TW_AGE_NEVER;
    input.wish_kind = TW_WISH_BATTERY;
    input.wish_left_ms = 5000;
    if (tw_init(&config, &state) != TW_OK) {
        return 1;
    }
    for (int i = 0; i < cycles; i++) {
        input.mono_ms += 100;
        input.wish_w = 10000 * units;
        input.poc_power_w = (40000 + (i % 7) * 1000) * units - output.battery_w;
        for (int u = 0; u < units; u++) {
            int32_t power_w = output.unit[u].setpoint_w;
            input.unit[u] = HEALTHY;
            input.unit[u].soc_cpct = 5500 + 100 * u;
            input.unit[u].power_w = power_w;
            input.unit[u].pack_current_da = power_w / 77;
        }
        tw_step(&config, &state, &input, &output);
    }
    printf("mode %u battery %d\n", (unsigned)output.mode, (int)output.battery_w);
    return output.mode == TW_MODE_RUN && output.battery_w != 0 ? 0 : 2;
}
