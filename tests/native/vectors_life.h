/* Sites that live: a load that swings, jumps or rests, a battery that follows its setpoints late, meters of some age. The wish half
 * learns from such a past; values alone would not take it there. Open loop: the setpoints are drawn here and put into the
 * state, so that the bytes depend on no kernel. For vectors_wish.c alone. */
#ifndef TW_VECTORS_LIFE_H
#define TW_VECTORS_LIFE_H

#include "vectors_draw.h"

enum { PAST = 64, LIFE_CYCLES = 320 };

static struct {
    int32_t base_w, swing_w, noise_w, period_cycles, follow_permille, delay_cycles;
    int32_t setpoint_w[PAST];
    int32_t cycle;
} life;

/* Now and then the least that is not nothing. */
static int32_t or_least(int32_t value)
{
    return one_in(12) ? 1 : value;
}

/* Meters that may be so old that the wish half cuts their age. */
static void grow_old(void)
{
    config.poc_age_fade_ms = config.poc_age_max_ms = 20000;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        config.unit[i].pcs_age_max_ms = 20000;
        config.unit[i].pcs_age_stop_ms = 20001;
        config.unit[i].pcs_age_open_ms = 20002;
    }
}

static void begin_life(long life_number)
{
    static const int32_t cycles_ms[] = {100, 100, 100, 50, 200, 400, 401, 500, 1000};
    static const int32_t periods[] = {4, 5, 8, 11, 16, 22, 33, 50, 90, 200};
    int32_t units = 1 + below(3);
    healthy_config(&config, units);
    config.cycle_ms = cycles_ms[below(9)];
    vary_wish(&config.wish, draw());
    config.wish.dead_time_ms = one_in(3) ? 0 : one_in(6) ? 5000 : 50 + 50 * below(20);
    config.wish.dead_time_ms = life_number % 16 == 9 ? TW_METER_UNSURE : config.wish.dead_time_ms;
    config.wish.soc_target_cpct = one_in(3) ? 0 : 5500;
    config.wish.calibrate_w = one_in(4) ? 0 : 5000;
    config.wish.recharge_w = one_in(2) ? 0 : or_least(30000);
    config.wish.peak_shave_w = one_in(2) ? 0 : or_least(45000);
    int32_t ramps = below(10); /* both ramps or one; with none there is no smoothing */
    config.wish.ramp_up_max_w_per_s = ramps == 0 || ramps == 1 ? 0 : or_least(1000 + below(1000));
    config.wish.ramp_down_max_w_per_s = ramps == 0 || ramps == 2 ? 0 : or_least(100 + below(2000));
    config.wish.droop_w_per_hz = one_in(4) ? 1 + below(60) : 20000;
    config.wish.droop_max_w = one_in(4) ? below(3) : 30000;
    config.safe_grid = below(3);
    config.setpoint_ramp_w_per_s = TW_POWER_LIMIT_W;
    config.export_max_w = config.import_max_w = config.fuse_max_w = TW_POWER_LIMIT_W;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        config.unit[i].deviation_max_w = TW_POWER_LIMIT_W;
        config.unit[i].reactive_max_var = one_in(4) ? 0 : or_least(20000);
        config.unit[i].power_charge_max_w = one_in(4) ? 30000 + below(40000) : 50000;
        config.unit[i].power_discharge_max_w = one_in(4) ? 30000 + below(40000) : 50000;
    }
    if (one_in(4)) {
        grow_old();
    }
    for (int32_t i = 0; life_number % 16 == 7 && i < TW_UNITS; i++) { /* units that may do nothing at all */
        config.unit[i].power_charge_max_w = config.unit[i].power_discharge_max_w = config.unit[i].power_efficient_min_w = 0;
    }
    emit(RECORD_CONFIG, &config, sizeof config);
    healthy_input(&config, &step.input);
    step.input.wish_left_ms = one_in(2) ? 0 : 5000;
    step.input.mono_ms = one_in(5) ? -1000 : one_in(5) ? 0 : one_in(5) ? (int64_t)(draw() >> 3) : (int64_t)(draw() >> 24);
    memset(&life, 0, sizeof life);
    life.base_w = 30000 + below(40000);
    life.swing_w = one_in(3) ? below(200) : 2000 + below(60000);
    life.noise_w = one_in(2) ? 0 : below(2000);
    life.period_cycles = periods[below(10)];
    life.follow_permille = one_in(2) ? 1000 : below(1300);
    life.delay_cycles = one_in(12) ? 18 + below(3) : 1 + below(9);
}

/* What the load takes in this cycle: square, triangle or nothing regular. */
static int32_t load_now_w(void)
{
    int32_t half = life.period_cycles / 2;
    int32_t phase = life.cycle % life.period_cycles;
    int32_t swing_w = phase < half ? life.swing_w : 0;
    if (life.period_cycles % 2 != 0) {
        int64_t way = phase < half ? phase : life.period_cycles - phase;
        swing_w = (int32_t)((int64_t)life.swing_w * way / (half + 1));
    }
    int32_t noise_w = life.noise_w > 0 ? below(life.noise_w) : 0;
    return life.base_w + swing_w + noise_w;
}

/* The next setpoint, and the battery's answer to an old one, on all units alike. */
static int32_t battery_now_w(int32_t load_w)
{
    int32_t kind = life.cycle / 80 % 4;
    int32_t mean_w = life.base_w + life.swing_w / 2;
    int32_t next_w = kind == 3 ? 0 : kind == 2 ? below(20001) - 10000 : (load_w - mean_w) / 2;
    life.setpoint_w[life.cycle % PAST] = next_w;
    int32_t then = life.cycle - life.delay_cycles;
    int64_t power_w = then < 0 ? 0 : life.setpoint_w[then % PAST];
    for (int32_t i = 0; i < config.unit_count; i++) {
        emit_patch(UNIT(i, setpoint_w), next_w / config.unit_count);
        step.input.unit[i].power_w = (int32_t)(power_w * life.follow_permille / 1000 / config.unit_count);
    }
    return (int32_t)(power_w * life.follow_permille / 1000);
}

static void change_life(void)
{
    switch (below(6)) {
    case 0: life.base_w = 30000 + below(40000); break;
    case 1: life.swing_w = one_in(2) ? life.swing_w / 8 : life.swing_w * 3 % 90000; break;
    case 2: life.period_cycles = 4 + below(80); break;
    case 3: life.noise_w = below(3000); break;
    case 4: life.follow_permille = below(1300); break;
    default: life.delay_cycles = 1 + below(16); break;
    }
}

/* Meters, ages, time; still: the clock may stand, and then what was put into the state is met as it is. */
static void live(bool still)
{
    int32_t load_w = load_now_w();
    int32_t battery_w = battery_now_w(load_w);
    step.input.poc_power_w = one_in(60) ? extreme() : load_w - battery_w;
    step.input.poc_age_ms = one_in(40) ? config.poc_age_fade_ms + below(3) - 1 : one_in(60) ? -below(2) : one_in(60) ? 9999 + below(3) : 50 + below(3) * 50;
    for (int32_t i = 0; i < config.unit_count; i++) {
        step.input.unit[i].power_at_poc_w = step.input.unit[i].power_w;
        step.input.unit[i].pcs_age_ms = one_in(80) ? 1000 + below(2) : one_in(80) ? 9999 + below(3) : 50 + below(8) * 50;
        step.input.unit[i].soc_cpct += one_in(8) ? below(41) - 20 : 0;
    }
    int64_t gap_ms = one_in(40) ? below(2 * config.cycle_ms + 2) : one_in(still ? 3 : 40) ? 0 : config.cycle_ms;
    step.input.mono_ms = (int64_t)((uint64_t)step.input.mono_ms + (uint64_t)gap_ms);
    life.cycle++;
}

#endif
