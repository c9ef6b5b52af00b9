/* Writes the vector file: `vectors SEED STEPS > FILE`. Knows the structs and the specification's thresholds, not the kernel:
 * values are drawn at, just below and just above the configured limits, and the state is moved to where a timer, a latch or a
 * mode is about to change. The same seed gives the same bytes on every machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors_edge.h"
#include "vectors_share.h"
#include "vectors_state.h"

static int32_t any_age_ms(const int32_t *limits_ms, int32_t count)
{
    return one_in(20) ? TW_AGE_NEVER : one_in(20) ? -1 - below(2) : near_limit(limits_ms, count);
}

static void spoil_pcs(int32_t i)
{
    const tw_unit_config_t *unit = &config.unit[i];
    tw_unit_input_t *in = &step.input.unit[i];
    switch (below(7)) {
    case 0: in->pcs_age_ms = any_age_ms(&unit->pcs_age_max_ms, 3); break;
    case 1: case 2: in->pcs_flags ^= 1U << below(7); break;
    case 3: in->power_w = one_in(4) ? extreme() : either_sign(near_limit(&unit->power_charge_max_w, 5)); break;
    case 4: in->power_w = either_sign(narrow(nudge(unit->deviation_max_w))); break;
    case 5: in->power_at_poc_w = one_in(4) ? extreme() : below(100001) - 50000; break;
    default: in->pcs_dc_voltage_dv = one_in(3) ? extreme()
        : narrow(INT64_C(0) + in->pack_voltage_dv + either_sign(narrow(nudge(in->pack_voltage_dv / 20)))); break;
    }
}

static void spoil_bms(int32_t i)
{
    const tw_unit_config_t *unit = &config.unit[i];
    tw_unit_input_t *in = &step.input.unit[i];
    bool wild = one_in(8);
    int32_t value = extreme();
    switch (below(16)) {
    case 0: in->bms_age_ms = any_age_ms(&unit->bms_age_max_ms, 4); break;
    case 1: case 2: in->bms_flags ^= 1U << below(6); break;
    case 3: in->pack_voltage_dv = wild ? value : near_limit(&unit->pack_voltage_trip_low_dv, 4); break;
    case 4: in->pack_current_da = wild ? value : either_sign(narrow(nudge(20))); break;
    case 5: {
        int32_t limit_da = one_in(2) ? in->current_charge_max_da : in->current_discharge_max_da;
        int32_t slack_da = one_in(2) ? (limit_da / 10 > 40 ? limit_da / 10 : 40) : (limit_da / 20 > 20 ? limit_da / 20 : 20);
        in->pack_current_da = either_sign(narrow(nudge((int64_t)(limit_da % 200000) + slack_da)));
        break;
    }
    case 6: in->soc_cpct = wild ? value : near_limit(&unit->soc_min_cpct, 5); break;
    case 7: in->current_charge_max_da = wild ? value : one_in(3) ? 0 : below(700); break;
    case 8: in->current_discharge_max_da = wild ? value : one_in(3) ? 0 : below(700); break;
    case 9: in->cell_voltage_min_mv = wild ? value : near_limit(&unit->cell_voltage_dead_mv, 8); break;
    case 10: in->cell_voltage_max_mv = wild ? value : near_limit(&unit->cell_voltage_dead_mv, 8); break;
    case 11: in->cell_temp_min_dc = wild ? value : near_limit(&unit->temp_min_dc, 9); break;
    case 12: in->cell_temp_max_dc = wild ? value : near_limit(&unit->temp_min_dc, 9); break;
    case 13: in->insulation_kohm = one_in(4) ? TW_UNKNOWN : wild ? value : near_limit(&unit->insulation_warn_kohm, 2); break;
    case 14: /* a counter, and one that has stood still for nearly too long */
        in->bms_heartbeat = one_in(3) ? TW_UNKNOWN : below(2);
        in->bms_age_ms = one_in(4) ? -1 : in->bms_age_ms;
        emit_patch(UNIT(i, heartbeat), one_in(4) ? below(2) : in->bms_heartbeat);
        emit_patch(UNIT(i, heartbeat_ms), nudge(unit->heartbeat_max_ms));
        break;
    default: /* a spread: both ends moved, the middle kept */
        if (one_in(2)) {
            in->cell_voltage_min_mv = narrow((int64_t)in->cell_voltage_max_mv - near_limit(&unit->cell_spread_warn_mv, 3));
        } else {
            in->cell_temp_min_dc = narrow((int64_t)in->cell_temp_max_dc - near_limit(&unit->temp_spread_warn_dc, 3));
        }
        break;
    }
}

static void spoil_site(void)
{
    tw_input_t *in = &step.input;
    const int32_t powers_w[] = {config.import_max_w, config.fuse_max_w, config.export_max_w, config.pv_rated_w, 0};
    switch (below(13)) {
    case 0: in->commands ^= 1U << below(6); break;
    case 1: in->flags ^= 1U << below(12); break;
    case 2: in->flags = (uint32_t)below(4096); break;
    case 3: in->io_age_ms = any_age_ms(&config.io_age_max_ms, 1); break;
    case 4: in->poc_age_ms = any_age_ms(&config.poc_age_fade_ms, 2); break;
    case 5: case 6: in->poc_power_w = one_in(5) ? extreme() : either_sign(near_limit(powers_w, 5)); break;
    case 7: in->poc_voltage_dv = one_in(6) ? TW_UNKNOWN : one_in(4) ? extreme() : near_limit(&config.voltage_min_dv, 2); break;
    case 8: in->poc_frequency_mhz = one_in(6) ? TW_UNKNOWN : one_in(4) ? extreme() : near_limit(&config.frequency_min_mhz, 2); break;
    case 9: in->wish_kind = below(5); in->wish_w = one_in(2) ? 0 : extreme(); break;
    case 10: in->wish_left_ms = below(3) - 1; break;
    case 11: in->pv_power_w = one_in(3) ? extreme() : below(config.pv_rated_w + 1); break;
    default: in->pv_age_ms = any_age_ms(&config.poc_age_max_ms, 1); break;
    }
}

static void choose_wish(void)
{
    tw_wish_t *wish = &step.wish;
    int32_t reach_w = config.unit_count * 50000;
    wish->battery_w = one_in(6) ? extreme() : one_in(9) ? 0 : below(2 * reach_w + 1) - reach_w;
    wish->reactive_permille = one_in(4) ? extreme() : below(2401) - 1200;
    if (one_in(4)) {
        for (int32_t i = 0; i < TW_STAGES; i++) {
            wish->stage_w[i] = extreme();
        }
        wish->functions = (uint32_t)draw();
        wish->signals = (uint32_t)draw();
        wish->reference_w = extreme();
        wish->dead_time_ms = extreme();
        wish->period_ms = extreme();
        wish->gain_permille = extreme();
    }
}

static tw_gate_rule_t any_rule(const tw_write_t *write)
{
    tw_gate_rule_t rule = {write->port_index, write->address, write->function, 0, write->reg, write->count,
                           INT32_MIN, INT32_MAX, 0, 0, UINT32_MAX, 0, 0};
    rule.kind = (uint8_t)below(4);
    switch (below(12)) { /* mostly the rule lists the write; at times one thing of it does not match */
    case 0: rule.port_index ^= 1; break;
    case 1: rule.address ^= 1; break;
    case 2: rule.function = (uint8_t)below(17); break;
    case 3: rule.reg ^= 1; break;
    case 4: rule.count ^= 1; break;
    case 5: case 6: rule.value_min = narrow(nudge(write->value)); break;
    case 7: case 8: rule.value_max = narrow(nudge(write->value)); break;
    default: break;
    }
    rule.scale_w = one_in(3) ? extreme() : rule.kind == TW_GATE_POWER && one_in(2) ? 1 : below(201) - 100;
    rule.unit_index = one_in(9) ? extreme() : one_in(9) ? 8 - below(2) : below(config.unit_count + 1) - 1;
    rule.modes = one_in(3) ? (uint32_t)draw() : UINT32_MAX;
    rule.order = below(6);
    rule.interval_ms = one_in(3) ? extreme() : below(3) * 1000;
    return rule;
}

static void emit_write(void)
{
    static const uint8_t functions[] = {5, 6, 15, 16};
    record_write_t record;
    memset(&record, 0, sizeof record);
    record.mode_shown = one_in(9) ? 12 + below(30) : -1;
    record.rule_count = one_in(8) ? 0 : 1 + below(RULES);
    tw_write_t *write = &record.write;
    write->port_index = (uint8_t)below(2);
    write->address = (uint8_t)below(2);
    write->function = one_in(6) ? (uint8_t)below(20) : functions[below(4)];
    write->reg = (uint16_t)below(2);
    write->count = (uint16_t)(1 + below(2));
    write->value = one_in(6) ? extreme() : one_in(6) ? 0 : below(101) - 50;
    write->value = one_in(5) ? below(100001) - 50000 : write->value;
    write->mono_ms = step.input.mono_ms;
    for (int32_t i = 0; i < RULES; i++) {
        record.rule[i] = any_rule(write);
        record.written_mono_ms[i] = one_in(3) ? INT64_MIN : one_in(6) ? (int64_t)draw()
            : (int64_t)((uint64_t)write->mono_ms - (uint64_t)nudge(record.rule[i].interval_ms));
    }
    emit(RECORD_WRITE, &record, sizeof record);
}

static void next_time(void)
{
    int64_t gap_ms = config.cycle_ms;
    if (one_in(12)) {
        switch (below(4)) {
        case 0: gap_ms = nudge(0); break;
        case 1: gap_ms = nudge(INT64_C(2) * config.cycle_ms); break;
        case 2: gap_ms = below(2 * config.cycle_ms); break;
        default: gap_ms = (int64_t)(draw() >> 8); break;
        }
    }
    step.input.mono_ms = (int64_t)((uint64_t)step.input.mono_ms + (uint64_t)gap_ms);
}

static void emit_cycle(void)
{
    if (one_in(3)) { /* mostly healthy, one thing after the other */
        int32_t spoils = one_in(4) ? 3 : 1;
        for (int32_t i = 0; i < spoils; i++) {
            int32_t unit = below(config.unit_count);
            switch (below(5)) {
            case 0: spoil_pcs(unit); break;
            case 1: case 2: spoil_bms(unit); break;
            case 3: spoil_site(); break;
            default: choose_wish(); break;
            }
        }
    }
    for (int32_t i = 0; one_in(2) && i < 3; i++) {
        if (one_in(3)) {
            patch_site();
        } else {
            patch_unit(below(config.unit_count));
        }
    }
    next_time();
    emit(RECORD_STEP, &step, sizeof step);
    while (one_in(3)) {
        emit_write();
    }
}

static void heal(void)
{
    int64_t mono_ms = step.input.mono_ms;
    healthy_input(&config, &step.input);
    step.input.mono_ms = mono_ms;
    for (int32_t i = 0; i < config.unit_count; i++) {
        step.input.unit[i].soc_cpct += below(3000) - 1500;
    }
}

/* A word of a running configuration changes, and changes back. */
static void emit_change(void)
{
    size_t word = (size_t)below((int32_t)(offsetof(tw_config_t, unit) / 4 + sizeof(tw_unit_config_t) / 4));
    const int32_t *at = (const int32_t *)(const void *)&config + word;
    record_word_t there = {(uint32_t)(word * 4), one_in(2) ? extreme() : narrow(nudge(*at))};
    record_word_t back = {(uint32_t)(word * 4), *at};
    emit(RECORD_CHANGE, &there, sizeof there);
    emit_cycle();
    emit(RECORD_CHANGE, &back, sizeof back);
}

static void begin_block(int32_t kind)
{
    if (kind == 0) {
        begin_share();
    } else {
        healthy_config(&config, one_in(5) ? TW_UNITS : 1 + below(4));
        vary_config(&config, draw);
        emit(RECORD_CONFIG, &config, sizeof config);
    }
    if (kind == 1 && one_in(3)) {
        freeze_site();
    }
    heal();
}

/* The units at rest, in a sequence, or waiting for a reset. */
static void begin_scene(void)
{
    heal();
    choose_wish();
    uint32_t mode = one_in(3) ? (uint32_t)below(TW_MODES) : (uint32_t)TW_MODE_RUN;
    patch_whole(mode);
    if (mode != TW_MODE_RUN) {
        patch_sequence(mode);
    } else if (one_in(8)) {
        patch_reset();
    }
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    long steps = argc > 2 ? atol(argv[2]) : 1000;
    const size_t site_words = offsetof(tw_config_t, unit) / 4;
    const size_t unit_words = sizeof(tw_unit_config_t) / 4;
    memset(&step, 0, sizeof step);
    healthy_config(&config, 2);
    healthy_input(&config, &step.input);
    emit(RECORD_CONFIG, &config, sizeof config);
    emit_edges(0, site_words + 2 * unit_words);
    outermost_unit_config(&config.unit[0]);
    emit(RECORD_CONFIG, &config, sizeof config);
    emit_edges(site_words, unit_words);
    int32_t kind = 0; /* of these 50 cycles: 0 sharing, 1 edges, else anything */
    for (long done = 0; done < steps; done++) {
        if (done % 50 == 0) {
            kind = below(5);
            begin_block(kind);
        }
        if (kind == 0) {
            emit_share();
        } else if (kind == 1) {
            emit_edge();
        } else {
            if (done % 10 == 0) {
                begin_scene();
            }
            emit_cycle();
            if (one_in(40)) {
                emit_change();
            }
        }
    }
    return 0;
}
