/* The state moved to where a timer, a latch, a sequence or a mode is about to change. For vectors.c alone. */
#ifndef TW_VECTORS_STATE_H
#define TW_VECTORS_STATE_H

#include "vectors_draw.h"

static int32_t any_delay_ms(void)
{
    static const int32_t delays_ms[] = {0, 1000, 2000, 5000, 10000, 60000, 3600000, TW_AGE_NEVER};
    int64_t delay_ms = delays_ms[below(8)];
    delay_ms -= below(3) * config.cycle_ms;
    return narrow(nudge(delay_ms));
}

static int64_t any_set(int32_t count)
{
    switch (below(6)) {
    case 0: return 0;
    case 1: return (int64_t)draw();
    case 2: {
        uint64_t set = draw();
        set &= draw();
        return (int64_t)(set & draw());
    }
    default: return (int64_t)(UINT64_C(1) << below(count));
    }
}

static void patch_unit(int32_t i)
{
    const int32_t holds_ms[] = {config.reset_hold_ms, config.boot_settle_ms, config.connect_max_ms, config.start_max_ms,
                                config.stop_max_ms, config.cooldown_ms, config.cycle_ms, 0};
    const tw_unit_config_t *unit = &config.unit[i];
    int32_t cause = below(TW_UNIT_CAUSES);
    int32_t hour = below(TW_HOURLY);
    int32_t past = below(2);
    switch (below(17)) {
    case 0: emit_patch(UNIT(i, active), any_set(TW_UNIT_CAUSES)); break;
    case 1: emit_patch(UNIT(i, latched), one_in(2) ? 0 : any_set(TW_UNIT_CAUSES)); break;
    case 2: emit_patch(UNIT(i, charge_limit_mw), one_in(3) ? (int64_t)draw() : extreme() * INT64_C(1000)); break;
    case 3: emit_patch(UNIT(i, discharge_limit_mw), one_in(3) ? (int64_t)draw() : extreme() * INT64_C(1000)); break;
    case 4: case 5: emit_patch(UNIT(i, timer_ms[cause]), one_in(9) ? extreme() : any_delay_ms()); break;
    case 6: emit_patch(UNIT(i, recent_ms[hour][past]), one_in(5) ? extreme() : any_delay_ms()); break;
    case 7: emit_patch(UNIT(i, clear_ms), one_in(6) ? extreme() : near_limit(holds_ms, 8)); break;
    case 8: emit_patch(UNIT(i, fresh_ms), one_in(6) ? extreme() : near_limit(holds_ms, 8)); break;
    case 9: emit_patch(UNIT(i, mode), one_in(20) ? extreme() : below(TW_MODES + 1)); break;
    case 10: emit_patch(UNIT(i, mode_ms), one_in(6) ? extreme() : near_limit(holds_ms, 8)); break;
    case 11: emit_patch(UNIT(i, cooldown_ms), one_in(6) ? extreme() : near_limit(holds_ms, 8)); break;
    case 12: emit_patch(UNIT(i, tries), one_in(6) ? extreme() : below(4)); break;
    case 13: emit_patch(UNIT(i, setpoint_w), one_in(4) ? extreme() : below(unit->power_charge_max_w + 1) - 20000); break;
    case 14: emit_patch(UNIT(i, heartbeat_ms), one_in(5) ? extreme() : near_limit(&unit->heartbeat_max_ms, 1)); break;
    case 15:
        emit_patch(UNIT(i, temp_then_ms), one_in(4) ? extreme() : any_delay_ms());
        emit_patch(UNIT(i, temp_then_dc), one_in(4) ? extreme()
                   : nudge((int64_t)step.input.unit[i].cell_temp_max_dc - unit->temp_rise_max_dc_per_min));
        break;
    default: emit_patch(UNIT(i, seen), below(5)); break;
    }
}

static void patch_site(void)
{
    const int32_t holds_ms[] = {config.reset_hold_ms, config.grid_return_ms, config.cycle_ms};
    int32_t cause = below(TW_SITE_CAUSES);
    int32_t past = below(2);
    switch (below(13)) {
    case 0: emit_patch(SITE(active), any_set(TW_SITE_CAUSES)); break;
    case 1: emit_patch(SITE(latched), one_in(2) ? 0 : any_set(TW_SITE_CAUSES)); break;
    case 2: case 3: emit_patch(SITE(timer_ms[cause]), one_in(9) ? extreme() : any_delay_ms()); break;
    case 4: emit_patch(SITE(overrun_recent_ms[past]), one_in(4) ? extreme() : any_delay_ms()); break;
    case 5: emit_patch(SITE(clear_ms), one_in(6) ? extreme() : near_limit(holds_ms, 3)); break;
    case 6: emit_patch(SITE(grid_good_ms), one_in(6) ? extreme() : near_limit(holds_ms, 3)); break;
    case 7: emit_patch(SITE(held), below(3)); break;
    case 8: emit_patch(SITE(mode), one_in(9) ? extreme() : below(TW_MODES + 1)); break;
    case 9: emit_patch(SITE(first_out), one_in(3) ? extreme() : below(60) - 1); break;
    case 10: emit_patch(SITE(first_out_unit), one_in(3) ? extreme() : below(11) - 2); break;
    case 11: emit_patch(SITE(sharing), one_in(3) ? (int32_t)draw() : below(256)); break;
    default: emit_patch(SITE(pv_limit_w), one_in(3) ? extreme() : below(config.pv_rated_w + 1)); break;
    }
}

/* The units in one sequence, about to be done or to time out, their devices where they must be or not. */
static void patch_sequence(uint32_t mode)
{
    for (int32_t i = 0; i < config.unit_count; i++) {
        const int32_t limits_ms[] = {config.connect_max_ms, config.start_max_ms, config.stop_max_ms};
        uint32_t own = one_in(3) ? (uint32_t)below(TW_MODES) : mode;
        int32_t limit_ms = own == TW_MODE_CONNECT ? limits_ms[0] : own == TW_MODE_START ? limits_ms[1] : limits_ms[2];
        emit_patch(UNIT(i, mode), own);
        emit_patch(UNIT(i, mode_ms), one_in(3) ? 0 : limit_ms - config.cycle_ms * (int64_t)below(3));
        emit_patch(UNIT(i, tries), below(4));
        emit_patch(UNIT(i, cooldown_ms), one_in(2) ? 0 : config.cycle_ms * (int64_t)below(3));
        emit_patch(UNIT(i, fresh_ms), config.boot_settle_ms - config.cycle_ms * (int64_t)below(3));
        emit_patch(UNIT(i, seen), below(4));
        step.input.unit[i].pcs_flags ^= one_in(2) ? (uint32_t)TW_PCS_RUNNING : 0U;
        step.input.unit[i].bms_flags ^= one_in(3) ? (uint32_t)TW_BMS_CONNECTED : 0U;
        step.input.unit[i].pcs_dc_voltage_dv = one_in(3) ? TW_UNKNOWN : 7680;
        step.input.unit[i].pcs_age_ms = one_in(6) ? TW_AGE_NEVER : 50;
        step.input.unit[i].bms_age_ms = one_in(6) ? config.unit[i].bms_age_max_ms + 1 : 300;
    }
}

/* A reset asked for, at or about the end of the hold time. */
static void patch_reset(void)
{
    step.input.commands |= TW_COMMAND_RESET;
    emit_patch(SITE(commands), one_in(6) ? TW_COMMAND_RESET : 0);
    emit_patch(SITE(latched), one_in(2) ? 0 : any_set(TW_SITE_CAUSES));
    emit_patch(SITE(clear_ms), nudge(config.reset_hold_ms - config.cycle_ms));
    for (int32_t i = 0; i < config.unit_count; i++) {
        emit_patch(UNIT(i, mode), one_in(2) ? TW_MODE_SERVICE : TW_MODE_FAULT);
        emit_patch(UNIT(i, tries), below(4));
        emit_patch(UNIT(i, latched), one_in(3) ? INT64_C(1) << TW_UNIT_C_CELL_DEAD : any_set(TW_UNIT_CAUSES));
        emit_patch(UNIT(i, clear_ms), nudge(config.reset_hold_ms - config.cycle_ms));
    }
}

#endif
