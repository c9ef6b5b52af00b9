/* Sites on which sharing is all that matters: units alike or nearly, nothing else in the way, and a wish at one of the powers
 * at which one unit more or fewer is used. For vectors.c alone. */
#ifndef TW_VECTORS_SHARE_H
#define TW_VECTORS_SHARE_H

#include "vectors_draw.h"

static void begin_share(void)
{
    healthy_config(&config, one_in(3) ? TW_UNITS : 1 + below(4));
    config.import_max_w = config.fuse_max_w = config.export_max_w = TW_POWER_LIMIT_W;
    config.setpoint_ramp_w_per_s = TW_POWER_LIMIT_W;
    int32_t least_w = one_in(4) ? below(3) : 1000 * (1 + below(20));
    bool alike = one_in(2);
    int32_t taper_cpct = one_in(3) ? 0 : below(500);
    int32_t top_cpct = one_in(3) ? 10000 : 9500;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        tw_unit_config_t *unit = &config.unit[i];
        unit->power_charge_max_w = alike ? 50000 : 20000 + below(60000);
        unit->power_discharge_max_w = alike ? 50000 : 20000 + below(60000);
        unit->power_efficient_min_w = alike ? least_w : narrow(nudge(least_w + 1));
        unit->deviation_max_w = TW_POWER_LIMIT_W;
        unit->limit_rise_w_per_s = TW_POWER_LIMIT_W;
        unit->soc_taper_cpct = taper_cpct;
        unit->soc_max_cpct = top_cpct;
        unit->soc_reserve_cpct = one_in(2) ? 0 : 2000;
        unit->soc_min_cpct = one_in(2) ? 0 : 1000;
    }
    emit(RECORD_CONFIG, &config, sizeof config);
}

/* How full the units are: alike, or apart by what makes a difference; and now and then one that can hardly do anything. */
static void draw_heads(void)
{
    static const int32_t apart_cpct[] = {0, 1, 99, 100, 499, 500, 501, 1000};
    static const int32_t limits_da[] = {600, 600, 600, 100, 20, 1, 0};
    int32_t base_cpct = one_in(4) ? 9400 + below(101) : one_in(4) ? 9900 + below(101) : one_in(6) ? below(3) : 2000 + below(7000);
    for (int32_t i = 0; i < config.unit_count; i++) {
        tw_unit_input_t *in = &step.input.unit[i];
        int32_t soc_cpct = base_cpct + either_sign(apart_cpct[below(8)]);
        in->soc_cpct = soc_cpct < 0 ? 0 : soc_cpct > 10000 ? 10000 : soc_cpct;
        in->current_charge_max_da = limits_da[below(7)];
        in->current_discharge_max_da = limits_da[below(7)];
        in->pack_voltage_dv = one_in(8) ? 6800 + below(1600) : 7680;
        in->pcs_dc_voltage_dv = in->pack_voltage_dv;
    }
}

/* A power at which the set of units is about to change, or which they can just do together. */
static int32_t edge_of_share_w(void)
{
    int32_t unit = below(config.unit_count);
    int64_t least_w = config.unit[unit].power_efficient_min_w;
    int64_t units = 1 + below(config.unit_count);
    int64_t band_w = 0;
    for (int32_t i = 0; i < units; i++) {
        const tw_unit_input_t *in = &step.input.unit[i];
        int64_t bms_w = (int64_t)in->current_discharge_max_da * in->pack_voltage_dv / 100;
        int64_t most_w = config.unit[i].power_discharge_max_w;
        band_w += bms_w < most_w ? bms_w : most_w;
    }
    switch (below(5)) {
    case 0: return narrow(nudge(least_w * units));
    case 1: return narrow(nudge(least_w * units * 5 / 4));
    case 2: return narrow(nudge(band_w));
    case 3: return narrow(nudge(band_w * 4 / 5));
    default: return below(3);
    }
}

/* A write of power at the edge of what the unit may do, as one watt a count in either direction. */
static void write_at_band(void)
{
    record_write_t record;
    memset(&record, 0, sizeof record);
    int32_t unit = below(config.unit_count);
    const tw_unit_input_t *in = &step.input.unit[unit];
    bool charges = one_in(2);
    int32_t rating_w = charges ? config.unit[unit].power_charge_max_w : config.unit[unit].power_discharge_max_w;
    int32_t current_da = charges ? in->current_charge_max_da : in->current_discharge_max_da;
    int64_t bms_w = (int64_t)current_da * in->pack_voltage_dv / 100;
    int32_t value = narrow(nudge(bms_w < rating_w ? bms_w : rating_w));
    int32_t scale_w = one_in(2) ? 1 : -1;
    value = charges == (scale_w > 0) ? -value : value;
    record.rule[0] = (tw_gate_rule_t){0, 1, 6, TW_GATE_POWER, 7, 1, INT32_MIN, INT32_MAX, scale_w, unit, UINT32_MAX, 0, 0};
    record.rule_count = 1;
    record.mode_shown = -1;
    record.written_mono_ms[0] = INT64_MIN;
    record.write = (tw_write_t){0, 1, 6, 0, 7, 1, value, 0, step.input.mono_ms};
    emit(RECORD_WRITE, &record, sizeof record);
}

static void emit_share(void)
{
    patch_whole(TW_MODE_RUN);
    if (one_in(2)) {
        draw_heads();
    }
    int32_t power_w = one_in(3) ? below(400001) : edge_of_share_w();
    step.wish.battery_w = either_sign(power_w);
    step.input.mono_ms += config.cycle_ms;
    emit(RECORD_STEP, &step, sizeof step);
    if (one_in(2)) {
        write_at_band();
    }
}

#endif
