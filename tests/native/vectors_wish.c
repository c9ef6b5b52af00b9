/* Writes the wish half's vector file: `vectors_wish SEED LIVES > FILE`, of the same records as vectors.c. Each life is one site
 * over some hundred cycles; now and then something is asked, announced, lost or set, or the state is moved to where a
 * threshold, a timer or a count is about to be passed. */
#include <stdio.h>
#include <stdlib.h>

#include "vectors_life.h"

#define WISH(field) SITE(wish.field)

/* A number at one of the places where the wish half changes its mind, or any. */
static int32_t about(void)
{
    static const int32_t pool[] = {0, 1, 16, 100, 250, 400, 1000, 2000, 4000, 6000, 25600, 128000, 256000, 600000, 1 << 20,
                                   1 << 24, 1 << 25, 1000000000};
    int32_t value = narrow(nudge(pool[below((int32_t)(sizeof pool / sizeof pool[0]))]));
    return one_in(8) ? extreme() : one_in(5) ? -value : value;
}

static int32_t score(void)
{
    return one_in(6) ? about() : 300 << below(18);
}

/* What has been seen of load and grid, in relation to each other. */
static void poke_scores(void)
{
    int32_t load = score();
    int32_t load_long = one_in(2) ? load : score();
    int32_t grid = narrow(nudge((int64_t)load + load / 4 + load_long / 8));
    int32_t grid_long = narrow(nudge((int64_t)load_long * 9 / 10));
    emit_patch(WISH(score_short[TW_SCORES - 1]), one_in(2) ? grid : score());
    emit_patch(WISH(score_long[TW_SCORES - 1]), one_in(2) ? grid_long : score());
    emit_patch(WISH(score_short[0]), load);
    emit_patch(WISH(score_long[0]), load_long);
    for (size_t i = 1; i + 1 < TW_SCORES; i++) {
        int32_t part = one_in(3) ? score() : narrow((int64_t)load_long * below(1200) / 1000);
        emit_patch(WISH(score_long[i]), one_in(5) ? narrow(-(int64_t)part) : part);
        part = one_in(3) ? score() : narrow((int64_t)load * below(1200) / 1000);
        emit_patch(WISH(score_short[i]), one_in(5) ? narrow(-(int64_t)part) : part);
    }
}

/* The gain that was applied, and what the load usually does. */
static void poke_doubt(void)
{
    int32_t load = score();
    int32_t cycle_ms = config.cycle_ms;
    emit_patch(WISH(applied_short), nudge(one_in(3) ? 25600 : one_in(2) ? 0 : 200000));
    emit_patch(WISH(applied_long), nudge(one_in(3) ? 128000 : one_in(2) ? 0 : 200000));
    emit_patch(WISH(score_short[0]), one_in(6) ? about() : load);
    emit_patch(WISH(load_usual), one_in(6) ? about() : nudge(one_in(2) ? load / 32 : load));
    emit_patch(WISH(load_asked), one_in(6) ? about() : nudge((int64_t)load * (1 + below(5))));
    emit_patch(WISH(asking_ms), one_in(6) ? about() : one_in(2) ? nudge(cycle_ms) : nudge(cycle_ms - 4000));
    emit_patch(WISH(locked_ms), one_in(3) ? about() : one_in(2) ? 0 : nudge(cycle_ms));
    emit_patch(WISH(distrust_permille), one_in(4) ? about() : below(1001));
    emit_patch(WISH(announced_left_ms), one_in(2) ? 0 : nudge(cycle_ms));
}

static void poke_gains(void)
{
    emit_patch(WISH(gain_permille[0]), one_in(4) ? about() : below(1001));
    emit_patch(WISH(gain_permille[1]), one_in(4) ? about() : below(1001));
    emit_patch(WISH(blend_permille), one_in(3) ? about() : one_in(2) ? nudge(0) : nudge(1000));
    for (size_t i = 0; i < TW_BANDPASSES; i++) {
        emit_patch(WISH(band_slow[i][0]), about());
        emit_patch(WISH(band_slow[i][1]), about());
    }
    emit_patch(WISH(ring_index), one_in(3) ? about() : below(TW_RING + 2) - 1);
    emit_patch(WISH(actuation_q8_ms), below(400) * 1000);
}

/* A correlation with peaks, the search on its way, a period about to be believed. */
static void poke_period(void)
{
    int32_t power = 500 << below(14);
    for (size_t i = 0; i < TW_LAGS; i++) {
        emit_patch(WISH(lag_mean[i]), narrow((int64_t)power * (below(2201) - 1100) / 1000));
    }
    emit_patch(WISH(lag_mean[0]), one_in(8) ? about() : power);
    size_t lag = (size_t)(1 + below(TW_LAGS - 2));
    int32_t high = narrow((int64_t)power * (550 + below(500)) / 1000);
    emit_patch(WISH(lag_mean[lag]), high);
    emit_patch(WISH(lag_mean[lag - 1]), nudge(high));
    emit_patch(WISH(lag_mean[lag + 1]), nudge(high));
    emit_patch(WISH(lag_mean[1]), nudge(one_in(2) ? power / 2 : power));
    emit_patch(WISH(seek_lag), one_in(6) ? about() : (int64_t)lag - below(3));
    emit_patch(WISH(seek_low), one_in(6) ? about() : below(2));
    emit_patch(WISH(seek_best), one_in(3) ? 0 : nudge((int64_t)high * 9 / 10));
    emit_patch(WISH(seek_period_q8), one_in(6) ? about() : below(TW_LAGS * 256));
    emit_patch(WISH(period_q8), one_in(6) ? about() : one_in(3) ? nudge(3 * 256 - 128) : below(TW_LAGS * 256));
    emit_patch(WISH(disagreement), one_in(3) ? (int64_t)draw() : one_in(2) ? 0 : nudge(power));
    emit_patch(WISH(innovation), about());
    emit_patch(WISH(history_index), one_in(4) ? about() : below(TW_LAGS));
}

/* Errors by delay with one or two valleys, and a count that is about to be enough. */
static void poke_delay(void)
{
    int32_t bits = 24 + below(30);
    uint64_t deep = draw() >> bits;
    size_t one = (size_t)below(TW_DELAYS);
    size_t two = (size_t)below(TW_DELAYS);
    for (size_t i = 0; i < TW_DELAYS; i++) {
        emit_patch(WISH(delay_error[i]), (int64_t)(deep * (uint64_t)(4 + below(8))));
    }
    emit_patch(WISH(delay_error[one]), (int64_t)deep);
    emit_patch(WISH(delay_error[two]), (int64_t)(one_in(2) ? deep : 2 * deep + (uint64_t)below(3)));
    emit_patch(WISH(delay_count), one_in(6) ? about() : 14 + below(4));
    emit_patch(WISH(setpoint_index), one_in(6) ? about() : below(TW_DELAYS));
    emit_patch(WISH(power_index), one_in(3) ? about() : below(TW_DELAYS));
    emit_patch(WISH(actuation_q8_ms), one_in(4) ? about() : below(30) * 25600);
    emit_patch(WISH(poc_age_q8_ms), one_in(4) ? about() : below(10) * 25600);
    emit_patch(WISH(steps_w), about());
    emit_patch(WISH(sizes_w), one_in(2) ? about() : 1000000);
}

static void poke_functions(void)
{
    emit_patch(WISH(flags), (int64_t)(draw() & (one_in(4) ? UINT32_MAX : 63U)));
    emit_patch(WISH(anchor_cpct), one_in(3) ? about() : below(10001));
    emit_patch(WISH(calibrate_ms), one_in(3) ? about() : nudge(config.wish.calibrate_hold_ms - config.cycle_ms));
    emit_patch(WISH(genset_ms), one_in(3) ? about() : nudge(config.wish.genset_min_run_ms - config.cycle_ms));
    emit_patch(WISH(window_mj), one_in(3) ? (int64_t)draw() : below(40000) * INT64_C(450000));
    emit_patch(WISH(window_before_ms), one_in(3) ? about() : nudge(step.input.window_left_ms));
    emit_patch(WISH(announced_w), one_in(2) ? about() : below(40001) - 20000);
    emit_patch(WISH(announced_base_w), one_in(2) ? about() : life.base_w);
    emit_patch(WISH(announced_left_ms), one_in(2) ? 0 : nudge(config.cycle_ms));
    emit_patch(WISH(announced_until_mono_ms), one_in(3) ? (int64_t)draw() : step.input.mono_ms - below(4000));
    emit_patch(WISH(seen_ms), one_in(3) ? about() : one_in(2) ? 0 : nudge(16000));
}

static void poke_filters(void)
{
    int64_t load_mw = (int64_t)life.base_w * 1000 + below(20000000);
    int64_t any_mw = one_in(4) ? (int64_t)draw() : nudge(one_in(2) ? INT64_C(4000000000000) : -INT64_C(4000000000000));
    emit_patch(WISH(mean_mw), one_in(8) ? any_mw : load_mw);
    emit_patch(WISH(slow_mw), one_in(8) ? any_mw : load_mw);
    emit_patch(WISH(slower_mw), one_in(8) ? any_mw : load_mw - below(9000));
    emit_patch(WISH(reference_mw), one_in(8) ? any_mw : load_mw + below(9000));
    emit_patch(WISH(trim_mw), one_in(4) ? any_mw : nudge(either_sign(2500000)));
    emit_patch(WISH(held_mw), one_in(4) ? any_mw : below(20000000) - 10000000);
    emit_patch(WISH(setpoint_slow_mw), one_in(2) ? any_mw : load_mw);
    emit_patch(WISH(power_slow_mw), one_in(2) ? any_mw : load_mw);
}

/* Any bits in any word. */
static void poke_word(void)
{
    size_t word = (size_t)below((int32_t)(sizeof(tw_wish_state_t) / 4));
    emit_patch(0, offsetof(tw_state_t, wish) + 4 * word, 4, one_in(2) ? about() : (int32_t)draw());
}

static void poke(void)
{
    switch (below(12)) {
    case 0: poke_scores(); break;
    case 1: poke_doubt(); break;
    case 2: poke_doubt(); poke_scores(); break;
    case 3: poke_gains(); break;
    case 4: poke_period(); break;
    case 5: poke_gains(); poke_scores(); poke_period(); break;
    case 6: poke_delay(); break;
    case 7: case 8: poke_functions(); break;
    case 9: poke_filters(); break;
    default: poke_word(); break;
    }
}

static void announce(void)
{
    for (int32_t i = 0; i < TW_ANNOUNCEMENTS; i++) {
        tw_announcement_t *one = &step.input.announcement[i];
        int32_t ahead_ms = one_in(6) ? 60000 : one_in(3) ? -2000 : below(3000);
        one->delta_w = one_in(2) ? 0 : one_in(8) ? extreme() : below(60001) - 30000;
        one->at_mono_ms = one_in(12) ? (int64_t)draw() : step.input.mono_ms + nudge(ahead_ms);
    }
}

static void ask(void)
{
    tw_input_t *in = &step.input;
    in->wish_kind = below(5);
    in->wish_w = one_in(8) ? extreme() : below(60001) - 30000;
    in->wish_left_ms = one_in(2) ? below(2) : 5000;
}

static void happen(void)
{
    tw_input_t *in = &step.input;
    static const int32_t socs_cpct[] = {3000, 5400, 5500, 6000};
    int32_t unit = below(config.unit_count);
    switch (below(14)) {
    case 0: ask(); break;
    case 1: case 2: announce(); break;
    case 3: in->poc_frequency_mhz = one_in(4) ? TW_UNKNOWN : one_in(6) ? extreme() : 50000 + either_sign(narrow(nudge(20))); break;
    case 4: in->poc_frequency_mhz = 49000 + below(2001); break;
    case 5: in->poc_voltage_dv = one_in(4) ? TW_UNKNOWN : one_in(6) ? extreme() : 2070 + below(461); break;
    case 6: in->commands ^= TW_COMMAND_CALIBRATE; break;
    case 7: in->window_left_ms = one_in(3) ? below(2) : one_in(3) ? narrow(nudge(one_in(2) ? 890000 : 5000)) : 1 + below(900002); break;
    case 8: in->billed_peak_w = one_in(4) ? extreme() : config.wish.demand_max_w + below(3) - 1; break;
    case 9: emit_patch(UNIT(unit, mode), one_in(3) ? TW_MODE_ISLAND : TW_MODE_STANDBY); break;
    case 10: patch_whole(TW_MODE_RUN); break;
    case 11: in->unit[unit].current_charge_max_da = one_in(2) ? 0 : 600; break;
    case 12: in->unit[unit].soc_cpct = one_in(3) ? below(10001) : narrow(nudge(socs_cpct[below(4)])); break;
    default: change_life(); break;
    }
}

static void emit_life(long number)
{
    begin_life(number);
    patch_whole(TW_MODE_RUN);
    bool wild = !one_in(3); /* the others live undisturbed: what only grows slowly needs that */
    for (int32_t i = 0; i < LIFE_CYCLES; i++) {
        if (step.input.window_left_ms > 0) {
            step.input.window_left_ms -= step.input.window_left_ms > config.cycle_ms ? config.cycle_ms : 0;
        }
        bool poked = wild && one_in(4);
        live(poked);
        if (one_in(wild ? 4 : 60)) {
            happen();
        }
        if (poked) {
            poke();
        }
        if (i % 40 == 0) {
            patch_whole(TW_MODE_RUN);
        }
        emit(RECORD_STEP, &step, sizeof step);
    }
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    long lives = argc > 2 ? atol(argv[2]) : 10;
    memset(&step, 0, sizeof step);
    healthy_config(&config, 2);
    healthy_input(&config, &step.input);
    emit(RECORD_CONFIG, &config, sizeof config);
    emit_edges(offsetof(tw_config_t, wish) / 4, sizeof(tw_wish_config_t) / 4);
    vary_wish(&config.wish, UINT64_MAX);
    emit(RECORD_CONFIG, &config, sizeof config);
    emit_edges(offsetof(tw_config_t, wish) / 4, sizeof(tw_wish_config_t) / 4);
    for (long done = 0; done < lives; done++) {
        emit_life(done);
    }
    return 0;
}
