/* One value at one of its thresholds, everything else comfortable, and every delay run out: so that each condition shows in the
 * very next cycle, whether it sets or clears its cause. For vectors.c alone. */
#ifndef TW_VECTORS_EDGE_H
#define TW_VECTORS_EDGE_H

#include "vectors_draw.h"

/* The limit, or its hysteresis away, by -1, 0 or 1. */
static int32_t beside(int32_t limit, int32_t back)
{
    int32_t way = below(3) - 1;
    return narrow(nudge((int64_t)limit + (int64_t)way * back));
}

/* Lowest and highest of one kind, a little or a threshold's width apart. */
static void put_both(int32_t *low, int32_t *high, int32_t value, int32_t apart)
{
    bool first = one_in(2);
    *low = first ? value : narrow((int64_t)value - apart);
    *high = first ? narrow((int64_t)value + apart) : value;
}

static void edge_of_cells(const tw_unit_config_t *unit, tw_unit_input_t *in)
{
    const int32_t *volts = &unit->cell_voltage_dead_mv;
    const int32_t *temps = &unit->temp_min_dc;
    int32_t which = below(7);
    int32_t apart = below(12);
    int32_t spread = below(3);
    switch (below(6)) {
    case 0: put_both(&in->cell_voltage_min_mv, &in->cell_voltage_max_mv, beside(volts[which], unit->cell_voltage_hysteresis_mv), apart); break;
    case 1: put_both(&in->cell_temp_min_dc, &in->cell_temp_max_dc, beside(temps[which], unit->temp_hysteresis_dc), apart); break;
    case 2: in->cell_voltage_min_mv = narrow((int64_t)in->cell_voltage_max_mv
                - beside((&unit->cell_spread_warn_mv)[spread], (&unit->cell_spread_warn_mv)[spread] / 8)); break;
    case 3: in->cell_temp_min_dc = narrow((int64_t)in->cell_temp_max_dc
                - beside((&unit->temp_spread_warn_dc)[spread], (&unit->temp_spread_warn_dc)[spread] / 8)); break;
    case 4: in->pack_voltage_dv = beside((&unit->pack_voltage_trip_low_dv)[which % 4],
                (unit->pack_voltage_max_dv - unit->pack_voltage_min_dv) / 6); break;
    default: in->cell_temp_max_dc = temps[7]; in->cell_temp_min_dc = temps[7] - apart; break;
    }
}

/* What no sensor can mean. */
static void edge_of_belief(tw_unit_input_t *in)
{
    switch (below(9)) {
    case 0: in->soc_cpct = beside(0, 10000); break;
    case 1: in->pack_voltage_dv = beside(0, 20000); break;
    case 2: in->current_charge_max_da = beside(0, 100000); break;
    case 3: in->current_discharge_max_da = beside(0, 100000); break;
    case 4: in->pack_current_da = beside(0, 100000); break;
    case 5: put_both(&in->cell_voltage_min_mv, &in->cell_voltage_max_mv, beside(0, 5000), below(3) - 1); break;
    case 6: put_both(&in->cell_temp_min_dc, &in->cell_temp_max_dc, beside(450, 1050), below(3) - 1); break;
    case 7: in->cell_temp_min_dc = beside(-600, 0); break;
    default: in->insulation_kohm = beside(0, 1); break;
    }
}

static void edge_of_power(int32_t i, const tw_unit_config_t *unit, tw_unit_input_t *in)
{
    int32_t told_w = one_in(4) ? below(3) - 1 : either_sign(below(60000));
    int32_t size_w = told_w < 0 ? -told_w : told_w;
    int32_t off_w = one_in(2) ? unit->deviation_max_w : size_w / 10;
    int32_t limit_da = one_in(2) ? in->current_charge_max_da : in->current_discharge_max_da;
    emit_patch(UNIT(i, setpoint_w), told_w);
    emit_patch(UNIT(i, mode_ms), nudge(config.stop_max_ms));
    in->power_w = one_in(6) ? -told_w : narrow((int64_t)told_w + either_sign(narrow(nudge(off_w))));
    switch (below(4)) {
    case 0: /* does it stand still? */
        in->pack_current_da = either_sign(narrow(nudge(20)));
        in->pcs_flags ^= one_in(2) ? (uint32_t)TW_PCS_RUNNING : 0U;
        break;
    case 1: in->pack_current_da = either_sign(narrow(nudge((int64_t)limit_da + (limit_da / 20 > 20 ? limit_da / 20 : 20)))); break;
    case 2: in->pack_current_da = either_sign(narrow(nudge((int64_t)limit_da + (limit_da / 10 > 40 ? limit_da / 10 : 40)))); break;
    default: in->pcs_dc_voltage_dv = narrow((int64_t)in->pack_voltage_dv + either_sign(narrow(nudge(in->pack_voltage_dv / 20)))); break;
    }
}

static void edge_of_devices(int32_t i, const tw_unit_config_t *unit, tw_unit_input_t *in)
{
    int32_t rung = below(3);
    switch (below(8)) {
    case 0: in->bms_age_ms = one_in(4) ? below(3) - 2 : narrow(nudge((&unit->bms_age_max_ms)[rung])); break;
    case 1: in->pcs_age_ms = one_in(4) ? below(3) - 2 : narrow(nudge((&unit->pcs_age_max_ms)[rung])); break;
    case 2:
        in->bms_heartbeat = below(2);
        in->bms_age_ms = one_in(2) ? below(4) - 2 : in->bms_age_ms;
        emit_patch(UNIT(i, heartbeat), in->bms_heartbeat);
        emit_patch(UNIT(i, heartbeat_ms), narrow(nudge((&unit->bms_age_max_ms)[below(4)])));
        break;
    case 3: in->pcs_flags = (uint32_t)below(128); break;
    case 4: in->bms_flags = (uint32_t)below(64); break;
    case 5: in->bms_age_ms = in->pcs_age_ms = one_in(2) ? -1 : TW_AGE_NEVER; break;
    case 6: in->insulation_kohm = beside(one_in(2) ? unit->insulation_warn_kohm : unit->insulation_trip_kohm, 0); break;
    default: in->soc_cpct = beside((&unit->soc_min_cpct)[below(3)], unit->soc_hysteresis_cpct); break;
    }
    emit_patch(UNIT(i, seen), below(4));
    emit_patch(UNIT(i, mode_ms), nudge((&config.connect_max_ms)[rung] - config.cycle_ms));
    emit_patch(UNIT(i, tries), one_in(3) ? 98 + below(4) : below(4) - 1);
    emit_patch(UNIT(i, cooldown_ms), narrow(nudge(config.cycle_ms)));
}

static void edge_of_site(void)
{
    tw_input_t *in = &step.input;
    switch (below(6)) {
    case 0: in->flags = (uint32_t)below(4096); break;
    case 1: in->poc_age_ms = narrow(nudge(one_in(2) ? config.poc_age_fade_ms : config.poc_age_max_ms)); break;
    case 2: in->io_age_ms = narrow(nudge(config.io_age_max_ms)); break;
    case 3: in->poc_voltage_dv = narrow(nudge(one_in(2) ? config.voltage_min_dv : config.voltage_max_dv)); break;
    case 4: in->poc_frequency_mhz = narrow(nudge(one_in(2) ? config.frequency_min_mhz : config.frequency_max_mhz)); break;
    default: in->commands = (uint32_t)below(64); break;
    }
    emit_patch(SITE(active), one_in(2) ? UINT32_MAX : (int64_t)draw());
    emit_patch(SITE(held), below(2));
    emit_patch(SITE(commands), below(64));
    emit_patch(SITE(grid_good_ms), nudge(config.grid_return_ms - config.cycle_ms));
}

/* All delays over, nearly over, or not begun. */
static void patch_delays(int32_t i)
{
    int32_t done_ms = one_in(4) ? 0 : one_in(8) ? 1000 : 3600000;
    for (int32_t cause = 0; cause < TW_UNIT_CAUSES; cause++) {
        emit_patch(UNIT(i, timer_ms[cause]), done_ms);
    }
    for (int32_t cause = 0; cause < TW_SITE_CAUSES; cause++) {
        emit_patch(SITE(timer_ms[cause]), done_ms);
    }
    emit_patch(UNIT(i, active), one_in(2) ? (INT64_C(1) << TW_UNIT_CAUSES) - 1 : one_in(2) ? 0 : (int64_t)draw());
}

/* The same thresholds, all of them 15 degrees colder. */
static void freeze_site(void)
{
    for (int32_t i = 0; i < TW_UNITS; i++) {
        int32_t *temps = &config.unit[i].temp_min_dc;
        for (int32_t at = 0; at < 8; at++) {
            temps[at] -= 150;
        }
    }
    emit(RECORD_CONFIG, &config, sizeof config);
}

static void emit_edge(void)
{
    int64_t mono_ms = step.input.mono_ms;
    int32_t i = below(config.unit_count);
    const tw_unit_config_t *unit = &config.unit[i];
    tw_unit_input_t *in = &step.input.unit[i];
    healthy_input(&config, &step.input);
    if (unit->temp_charge_min_dc < 0) { /* freeze_site: about 0 degrees, where a sum is not a difference */
        in->cell_temp_min_dc = -10;
        in->cell_temp_max_dc = 10;
    }
    int32_t gap_ms = one_in(6) ? below(3) : config.cycle_ms;
    step.input.mono_ms = mono_ms + gap_ms;
    step.input.commands |= one_in(3) ? (uint32_t)TW_COMMAND_CALIBRATE : 0U;
    uint32_t mode = one_in(3) ? (uint32_t)below(TW_MODES) : one_in(4) ? (uint32_t)TW_MODE_BOOT : (uint32_t)TW_MODE_RUN;
    patch_whole(one_in(5) ? (uint32_t)TW_MODE_STOPPING : mode);
    patch_delays(i);
    switch (below(8)) {
    case 0: case 1: case 2: edge_of_cells(unit, in); break;
    case 3: edge_of_belief(in); break;
    case 4: edge_of_power(i, unit, in); break;
    case 5: edge_of_devices(i, unit, in); break;
    case 6: edge_of_site(); break;
    default: edge_of_power(i, unit, in); edge_of_devices(i, unit, in); break;
    }
    emit(RECORD_STEP, &step, sizeof step);
}

#endif
