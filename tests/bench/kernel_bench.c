/* One healthy unit in RUN with a wish and a ramp: what a normal cycle costs. Run under callgrind by kernel.py. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel.h"

int main(int argc, char **argv)
{
    const tw_unit_config_t unit = {50000, 50000, 1000, 9500, 200, 2950, 3550, 2750, 3650, 100, 0, -100, 500, 600, 50,
                                   5000, 2000, 5000, 10000, 2000, 5000};
    const tw_config_t config = {TW_ABI, 1, 100, 80000, 0, 500, 500, 3000, 1000, 10000, {unit}};
    static tw_state_t state;
    static tw_output_t output;
    static tw_input_t input;
    const int cycles = argc > 1 ? atoi(argv[1]) : 1000;
    input.commands = TW_COMMAND_RUN;
    input.wish_w = 10000;
    input.wish_left_ms = 5000;
    input.poc_power_w = 40000;
    input.unit[0] = (tw_unit_input_t){50, 300, TW_PCS_RUNNING | TW_PCS_GUARDED, TW_BMS_CONNECTED | TW_BMS_GUARDED, 0,
                                      7680, 0, 5500, 600, 600, 3290, 3300, 240, 260};
    if (tw_init(&config, &state) != TW_OK) {
        return 1;
    }
    for (int i = 0; i < cycles; i++) {
        input.mono_ms += 100;
        input.unit[0].power_w = output.battery_w;
        input.poc_power_w = 40000 + (i % 7) * 1000 - output.battery_w;
        tw_step(&config, &state, &input, &output);
    }
    printf("mode %u battery %d\n", (unsigned)output.mode, (int)output.battery_w);
    return output.mode == TW_MODE_RUN ? 0 : 2;
}
