/* A healthy site for vectors and fuzzing: typical LFP thresholds, every unit fresh, guarded, connected and running. */
#ifndef TW_VECTORS_SITE_H
#define TW_VECTORS_SITE_H

#include <stdbool.h>
#include <string.h>

#include "kernel.h"

static inline void healthy_unit_config(tw_unit_config_t *unit)
{
    *unit = (tw_unit_config_t){
        .power_charge_max_w = 50000, .power_discharge_max_w = 50000, .power_efficient_min_w = 5000,
        .reactive_max_var = 20000, .deviation_max_w = 2500,
        .soc_min_cpct = 1000, .soc_max_cpct = 9500, .soc_reserve_cpct = 2000, .soc_taper_cpct = 500,
        .soc_hysteresis_cpct = 200,
        .cell_voltage_dead_mv = 2000, .cell_voltage_trip_low_mv = 2500, .cell_voltage_min_mv = 2800,
        .cell_voltage_derate_low_mv = 2950, .cell_voltage_derate_high_mv = 3450, .cell_voltage_max_mv = 3550,
        .cell_voltage_trip_high_mv = 3650, .cell_voltage_hysteresis_mv = 100,
        .pack_voltage_trip_low_dv = 6000, .pack_voltage_min_dv = 6720, .pack_voltage_max_dv = 8520,
        .pack_voltage_trip_high_dv = 8760,
        .temp_min_dc = -100, .temp_charge_min_dc = 0, .temp_charge_derate_low_dc = 100,
        .temp_charge_derate_high_dc = 400, .temp_charge_max_dc = 450, .temp_derate_high_dc = 450, .temp_max_dc = 550,
        .temp_trip_dc = 600, .temp_hysteresis_dc = 30, .temp_rise_max_dc_per_min = 50,
        .cell_spread_warn_mv = 100, .cell_spread_derate_mv = 200, .cell_spread_trip_mv = 400,
        .temp_spread_warn_dc = 50, .temp_spread_derate_dc = 80, .temp_spread_trip_dc = 150,
        .insulation_warn_kohm = 500, .insulation_trip_kohm = 100, .limit_rise_w_per_s = 5000,
        .bms_age_max_ms = 2000, .bms_age_stop_ms = 5000, .bms_age_open_ms = 10000, .heartbeat_max_ms = 5000,
        .pcs_age_max_ms = 1000, .pcs_age_stop_ms = 5000, .pcs_age_open_ms = 10000};
}

/* Every threshold as far out as it may be, and equal to the next where that is allowed. */
static inline void outermost_unit_config(tw_unit_config_t *unit)
{
    *unit = (tw_unit_config_t){
        .power_charge_max_w = TW_POWER_LIMIT_W, .power_discharge_max_w = TW_POWER_LIMIT_W,
        .power_efficient_min_w = TW_POWER_LIMIT_W, .reactive_max_var = TW_POWER_LIMIT_W,
        .deviation_max_w = TW_POWER_LIMIT_W, .soc_min_cpct = 0, .soc_max_cpct = 10000, .soc_reserve_cpct = 10000,
        .soc_taper_cpct = 10000, .soc_hysteresis_cpct = 10000,
        .cell_voltage_dead_mv = 1, .cell_voltage_trip_low_mv = 2, .cell_voltage_min_mv = 3,
        .cell_voltage_derate_low_mv = 4, .cell_voltage_derate_high_mv = 4998, .cell_voltage_max_mv = 4999,
        .cell_voltage_trip_high_mv = 5000, .cell_voltage_hysteresis_mv = 4996,
        .pack_voltage_trip_low_dv = 1, .pack_voltage_min_dv = 2, .pack_voltage_max_dv = 19999,
        .pack_voltage_trip_high_dv = 20000,
        .temp_min_dc = -600, .temp_charge_min_dc = -599, .temp_charge_derate_low_dc = -598,
        .temp_charge_derate_high_dc = 1498, .temp_charge_max_dc = 1499, .temp_derate_high_dc = 1498,
        .temp_max_dc = 1499, .temp_trip_dc = 1500, .temp_hysteresis_dc = 2098, .temp_rise_max_dc_per_min = 1500,
        .cell_spread_warn_mv = 5000, .cell_spread_derate_mv = 5000, .cell_spread_trip_mv = 5000,
        .temp_spread_warn_dc = 2100, .temp_spread_derate_dc = 2100, .temp_spread_trip_dc = 2100,
        .insulation_warn_kohm = 1000000, .insulation_trip_kohm = 1000000, .limit_rise_w_per_s = TW_POWER_LIMIT_W,
        .bms_age_max_ms = 599998, .bms_age_stop_ms = 599999, .bms_age_open_ms = 600000, .heartbeat_max_ms = 600000,
        .pcs_age_max_ms = 599998, .pcs_age_stop_ms = 599999, .pcs_age_open_ms = 600000};
}

static inline void healthy_config(tw_config_t *config, int32_t unit_count)
{
    memset(config, 0, sizeof *config);
    config->abi = TW_ABI;
    config->unit_count = unit_count;
    config->cycle_ms = 100;
    config->import_max_w = 80000;
    config->fuse_max_w = 100000;
    config->export_max_w = 20000;
    config->setpoint_ramp_w_per_s = 25000;
    config->pv_rated_w = 30000;
    config->pv_lost_max_w = 10000;
    config->poc_age_fade_ms = 500;
    config->poc_age_max_ms = 3000;
    config->voltage_min_dv = 2070;
    config->voltage_max_dv = 2530;
    config->frequency_min_mhz = 47500;
    config->frequency_max_mhz = 51500;
    config->grid_return_ms = 60000;
    config->io_required = 1;
    config->io_age_max_ms = 2000;
    config->boot_settle_ms = 5000;
    config->reset_hold_ms = 10000;
    config->connect_max_ms = 15000;
    config->start_max_ms = 30000;
    config->stop_max_ms = 20000;
    config->cooldown_ms = 60000;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        healthy_unit_config(&config->unit[i]);
    }
}

/* Site functions of the wish half, any mix of them. */
static inline void vary_wish(tw_wish_config_t *wish, uint64_t dice)
{
    wish->ramp_up_max_w_per_s = (dice & 3) == 0 ? 0 : 500;
    wish->ramp_down_max_w_per_s = (dice & 6) == 0 ? 0 : 800;
    wish->dead_time_ms = (dice & 8) ? 400 : 0;
    wish->soc_target_cpct = 5500;
    wish->soc_band_cpct = (dice & 0x10) ? 1000 : 0;
    wish->self_consumption = (dice & 0x20) ? 1 : 0;
    wish->grid_target_w = (dice & 0x40) ? 1000 : -500;
    wish->peak_shave_w = (dice & 0x80) ? 35000 : 0;
    wish->recharge_w = (dice & 0x100) ? 30000 : 0;
    wish->demand_max_w = (dice & 0x200) ? 38000 : 0;
    wish->frequency_nominal_mhz = (dice & 0x400) ? 50000 : 0;
    wish->droop_deadband_mhz = 20;
    wish->droop_w_per_hz = 20000;
    wish->droop_max_w = 30000;
    wish->power_factor_permille = (dice & 0x1800) == 0 ? 950 : (dice & 0x1800) == 0x800 ? -900 : 0;
    wish->voltage_nominal_dv = (dice & 0x2000) ? 2300 : 0;
    const int32_t voltages[4] = {920, 970, 1030, 1080};
    const int32_t vars[4] = {440, 0, 0, -440};
    for (int32_t i = 0; i < 4; i++) {
        wish->var_voltage_permille[i] = voltages[i];
        wish->var_permille[i] = vars[i];
    }
    wish->calibrate_w = 5000;
    wish->calibrate_hold_ms = 1000;
    wish->genset_start_soc_cpct = (dice & 0x4000) ? 3000 : 0;
    wish->genset_stop_soc_cpct = 6000;
    wish->genset_min_run_ms = 2000;
}

/* Other valid sites: what may be zero is, what may be equal is, what is a choice is chosen. */
static inline void vary_config(tw_config_t *config, uint64_t (*draw)(void))
{
    const uint64_t dice = draw();
    vary_wish(&config->wish, draw());
    config->cycle_ms = dice % 7 == 0 ? 1000 : dice % 5 == 0 ? 50 : 100;
    config->import_max_w = (dice & 0x10) ? (int32_t)(draw() % 150000) : config->import_max_w;
    config->fuse_max_w = (dice & 0x20) ? (int32_t)(draw() % 150000) : config->fuse_max_w;
    config->export_max_w = (dice & 0x40) ? 0 : config->export_max_w;
    config->setpoint_ramp_w_per_s = (dice & 0x80) ? TW_POWER_LIMIT_W : config->setpoint_ramp_w_per_s;
    config->pv_rated_w = (dice & 0x300) == 0 ? 0 : (dice & 0x300) == 0x300 ? 1 + 99 * (int32_t)((dice >> 23) & 1) : config->pv_rated_w;
    config->fuse_max_w = (dice & 0x1000000) ? config->import_max_w : config->fuse_max_w;
    config->voltage_max_dv = (dice & 0xC00) == 0 ? 0 : config->voltage_max_dv;
    config->voltage_min_dv = (dice & 0xC00) == 0 ? 0 : config->voltage_min_dv;
    config->frequency_max_mhz = (dice & 0x3000) == 0 ? 0 : config->frequency_max_mhz;
    config->frequency_min_mhz = (dice & 0x3000) == 0 ? 0 : config->frequency_min_mhz;
    config->io_required = (dice & 0xC000) != 0;
    config->safe_poc = (dice & 0x10000) ? TW_SAFE_HOLD : TW_SAFE_ZERO;
    config->safe_grid = (int32_t)((dice >> 17) % 3);
    config->safe_door = (dice & 0x100000) ? TW_SAFE_WARN : (dice & 0x200000) ? TW_SAFE_ZERO : TW_SAFE_HOLD;
    config->reset_hold_ms = (dice & 0x400000) ? 1 : config->reset_hold_ms;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        tw_unit_config_t *unit = &config->unit[i];
        const uint64_t die = draw();
        const int32_t efficient_w = (int32_t)((die >> 24) % 20000);
        unit->power_charge_max_w = (die & 7) == 0 ? (int32_t)((die >> 8) % 100000) : unit->power_charge_max_w;
        unit->power_discharge_max_w = (die & 0x38) == 0 ? (int32_t)((die >> 16) % 100000) : unit->power_discharge_max_w;
        const int32_t most_w = unit->power_charge_max_w > unit->power_discharge_max_w ? unit->power_charge_max_w
                                                                                      : unit->power_discharge_max_w;
        unit->power_efficient_min_w = (die & 0x40) && efficient_w <= most_w ? efficient_w : most_w / 10;
        unit->soc_reserve_cpct = (die & 0x80) ? (int32_t)((die >> 6) & 1) : unit->soc_reserve_cpct;
        unit->soc_min_cpct = (die & 0x200000) ? 0 : unit->soc_min_cpct;
        unit->soc_taper_cpct = (die & 0x30000) == 0 ? 0 : unit->soc_taper_cpct;
        unit->limit_rise_w_per_s = (die & 0xC0000) == 0 ? TW_POWER_LIMIT_W : unit->limit_rise_w_per_s;
        unit->deviation_max_w = (die & 0x100000) ? 1 + (int32_t)((die >> 40) % 10000) : unit->deviation_max_w;
    }
}

static inline void healthy_unit(tw_unit_input_t *unit)
{
    *unit = (tw_unit_input_t){
        .pcs_age_ms = 50, .bms_age_ms = 300, .pcs_flags = TW_PCS_RUNNING | TW_PCS_GUARDED,
        .bms_flags = TW_BMS_CONNECTED | TW_BMS_GUARDED, .power_w = 0, .pcs_dc_voltage_dv = 7680,
        .pack_voltage_dv = 7680, .pack_current_da = 0, .soc_cpct = 5500, .current_charge_max_da = 600,
        .current_discharge_max_da = 600, .cell_voltage_min_mv = 3290, .cell_voltage_max_mv = 3300,
        .cell_temp_min_dc = 240, .cell_temp_max_dc = 260, .insulation_kohm = 2000, .bms_heartbeat = TW_UNKNOWN};
}

static inline void healthy_input(const tw_config_t *config, tw_input_t *input)
{
    memset(input, 0, sizeof *input);
    input->commands = TW_COMMAND_RUN;
    input->io_age_ms = 200;
    input->wish_kind = TW_WISH_BATTERY;
    input->wish_left_ms = 5000;
    input->poc_power_w = 40000;
    input->poc_age_ms = 50;
    input->poc_voltage_dv = 2300;
    input->poc_frequency_mhz = 50000;
    input->pv_age_ms = 50;
    for (int32_t i = 0; i < config->unit_count; i++) {
        healthy_unit(&input->unit[i]);
    }
}

#endif
