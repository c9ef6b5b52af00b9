/* What the parts of a step promise each other. Each promise stands here once: the proof of the part shows it, and `step` assumes it
 * of a part whose body it does not look at. Before and after are the values at the part's call and at its return. */
#ifndef TW_PROMISES_H
#define TW_PROMISES_H

#include "accepted.h"

#define BIT(name) TW_UNIT_BIT(name)
#define SITE(name) TW_SITE_BIT(name)

/* ---- causes of a unit: interlock.c ------------------------------------------------------------------------- */

static inline bool fresh_is_young(const tw_unit_config_t *config, const tw_unit_input_t *input, const tw_facts_t *facts)
{
    return (!facts->bms_fresh || (input->bms_age_ms >= 0 && input->bms_age_ms <= config->bms_age_max_ms))
        && (!facts->pcs_fresh || (input->pcs_age_ms >= 0 && input->pcs_age_ms <= config->pcs_age_max_ms));
}

static inline bool missing_is_a_cause(const tw_unit_state_t *after, const tw_facts_t *facts)
{
    return (facts->bms_fresh || (after->active & BIT(BMS_STALE)) != 0U)
        && (facts->pcs_fresh || (after->active & BIT(PCS_STALE)) != 0U)
        && (facts->plausible || (after->active & (BIT(BMS_STALE) | BIT(VALUE_MISSING))) != 0U);
}

static inline bool plausible_is_in_range(const tw_unit_input_t *input, const tw_facts_t *facts)
{
    return !facts->plausible
        || (facts->bms_fresh && input->soc_cpct >= 0 && input->soc_cpct <= 10000 && input->pack_voltage_dv > 0
            && input->pack_voltage_dv <= 20000 && input->cell_voltage_min_mv >= 0
            && input->cell_voltage_min_mv <= input->cell_voltage_max_mv && input->cell_voltage_max_mv <= 5000
            && input->cell_temp_min_dc >= -600 && input->cell_temp_min_dc <= input->cell_temp_max_dc
            && input->cell_temp_max_dc <= 1500);
}

static inline bool causes_only(const tw_unit_state_t *before, const tw_unit_state_t *after)
{
    return !(after->active & ~TW_UNIT_JUDGED) && after->latched == before->latched && after->mode == before->mode
        && after->setpoint_w == before->setpoint_w && after->clear_ms == before->clear_ms
        && after->charge_limit_mw == before->charge_limit_mw && after->discharge_limit_mw == before->discharge_limit_mw
        && after->cooldown_ms == before->cooldown_ms;
}

/* ---- causes of the site: site.c ----------------------------------------------------------------------------- */

static inline bool site_missing_is_a_cause(const tw_input_t *input, const tw_cycle_t *cycle, uint32_t active)
{
    return (cycle->poc_fresh || (active & SITE(POC_STALE)) != 0U) && (!cycle->clock_bad || (active & SITE(CLOCK)) != 0U)
        && (cycle->io || (active & SITE(IO_STALE)) != 0U)
        && (!(input->commands & TW_COMMAND_ESTOP) || (active & SITE(ESTOP)) != 0U)
        && (!(input->commands & TW_COMMAND_HOLD) || (active & SITE(HOLD)) != 0U)
        && (!(input->flags & TW_SITE_CHANGED) || (active & SITE(CHANGED)) != 0U)
        && (!(input->flags & TW_SITE_SELF_TEST) || (active & SITE(SELF_TEST)) != 0U);
}

static inline bool forbidden_is_told(const tw_config_t *config, const tw_cycle_t *cycle, uint32_t active)
{
    const uint32_t door = config->safe_door == TW_SAFE_WARN ? 0U : SITE(DOOR);
    return cycle->forbidden == ((active & (TW_SITE_AT(TW_LEVELS_ZERO) | door)) != 0U)
        && cycle->halted == ((active & TW_SITE_AT(TW_LEVELS_STOP)) != 0U)
        && cycle->derated == ((active & TW_SITE_AT(TW_LEVEL_BIT(DERATE))) != 0U) && !(active & ~TW_SITE_JUDGED);
}

/* ---- latches: latch.c ---------------------------------------------------------------------------------------- */

#define UNIT_CAN_LATCH (TW_UNIT_LATCHING | TW_UNIT_COUNTED)

static inline int32_t grown_ms(int32_t before_ms, int32_t dt_ms)
{
    int64_t now_ms = (before_ms < 0 ? 0 : (int64_t)before_ms) + dt_ms;
    return now_ms > TW_AGE_NEVER ? TW_AGE_NEVER : (int32_t)now_ms;
}

/* What is no longer latched was reset by a person, with its causes gone for the hold time; a dead cell in SERVICE. */
static inline bool unit_latch_kept(const tw_config_t *config, const tw_unit_state_t *before, const tw_unit_state_t *after,
                                   const tw_cycle_t *cycle)
{
    uint64_t lost = before->latched & UNIT_CAN_LATCH & ~after->latched;
    bool may = cycle->reset && after->clear_ms >= config->reset_hold_ms && !(before->active & lost);
    return lost == 0U || (may && (!(lost & TW_UNIT_SERVICED) || before->mode == TW_MODE_SERVICE));
}

static inline bool unit_hold_time_counts(const tw_unit_state_t *before, const tw_unit_state_t *after, int32_t dt_ms)
{
    bool causing = (before->active & (TW_UNIT_LATCHING | (before->latched & UNIT_CAN_LATCH))) != 0U;
    return after->clear_ms == (causing ? 0 : grown_ms(before->clear_ms, dt_ms));
}

static inline bool unit_latches(const tw_unit_state_t *before, const tw_unit_state_t *after)
{
    return !(before->active & TW_UNIT_LATCHING & ~after->latched) && !(after->latched & ~UNIT_CAN_LATCH);
}

static inline bool latch_only(const tw_unit_state_t *before, const tw_unit_state_t *after)
{
    return after->active == before->active && after->mode == before->mode && after->setpoint_w == before->setpoint_w
        && after->charge_limit_mw == before->charge_limit_mw && after->discharge_limit_mw == before->discharge_limit_mw
        && after->cooldown_ms == before->cooldown_ms;
}

static inline bool site_latch_kept(const tw_config_t *config, uint32_t before, uint32_t after, int32_t clear_ms,
                                   const tw_cycle_t *cycle)
{
    return !(before & TW_SITE_LATCHING & ~after) || (cycle->reset && clear_ms >= config->reset_hold_ms);
}

static inline bool site_latches(uint32_t active, uint32_t after)
{
    return !(active & TW_SITE_LATCHING & ~after) && !(after & ~TW_SITE_LATCHING);
}

/* ---- modes: event.c, mode.c ---------------------------------------------------------------------------------- */

#define MODE(name) (1U << TW_MODE_##name)
#define POWERED (MODE(CONNECT) | MODE(START) | MODE(RUN) | MODE(ISLAND))

static inline bool mode_in(uint32_t mode, uint32_t modes)
{
    return mode < TW_MODES && ((modes >> mode) & 1U) != 0U;
}

/* A latch, and who asks for a stop, leave nothing but events that end power. */
static inline bool event_fits(const tw_state_t *state, const tw_unit_state_t *unit, const tw_input_t *input,
                              const tw_cycle_t *cycle, uint32_t event)
{
    bool latched = state->latched != 0U || unit->latched != 0U;
    bool asked = (input->commands & TW_COMMAND_RUN) && !(state->active & (SITE(HOLD) | SITE(CHANGED)));
    bool calm = unit->mode == TW_MODE_STANDBY && asked && unit->cooldown_ms == 0 && !cycle->forbidden && !latched
        && !(unit->active & TW_UNIT_AT(TW_LEVELS_ZERO) & ~TW_UNIT_STARTABLE);
    bool halted = cycle->halted || (unit->active & TW_UNIT_AT(TW_LEVELS_STOP)) != 0U;
    return event < TW_EVENTS && (!latched || event <= TW_EVENT_TRIP)
        && (!mode_in(unit->mode, POWERED) || !halted || event <= TW_EVENT_HALT)
        && (!mode_in(unit->mode, POWERED) || asked || event <= TW_EVENT_STOP) && (event != TW_EVENT_GO || calm);
}

/* Into RUN leads START only, into ISLAND RUN only; what a latch and a halt leave is not powered. */
static inline bool mode_follows(uint32_t before, uint32_t event, uint32_t after)
{
    return after < TW_MODES && (after != TW_MODE_RUN || before == TW_MODE_RUN || (before == TW_MODE_START && event == TW_EVENT_DONE))
        && (after != TW_MODE_ISLAND || before == TW_MODE_ISLAND || (before == TW_MODE_RUN && event == TW_EVENT_ISLAND))
        && (after != TW_MODE_START || before == TW_MODE_START || (before == TW_MODE_CONNECT && event == TW_EVENT_DONE))
        && (after != TW_MODE_CONNECT || before == TW_MODE_CONNECT || (before == TW_MODE_STANDBY && event == TW_EVENT_GO))
        && (event > TW_EVENT_STOP || !mode_in(after, POWERED)) && (event != TW_EVENT_ESTOP || after == TW_MODE_ESTOP || before >= TW_MODES);
}

static inline bool mode_only(const tw_unit_state_t *before, const tw_unit_state_t *after)
{
    return after->active == before->active && after->latched == before->latched && after->setpoint_w == before->setpoint_w
        && after->clear_ms == before->clear_ms && after->charge_limit_mw == before->charge_limit_mw
        && after->discharge_limit_mw == before->discharge_limit_mw;
}

/* What a unit is told follows from its mode; only a unit that is on its way to power is told to connect, start or form a grid. */
static inline bool order_fits(uint32_t mode, uint32_t order)
{
    return order <= TW_ORDER_ISLAND && (order != TW_ORDER_CONNECT || mode == TW_MODE_CONNECT)
        && (order != TW_ORDER_START || mode == TW_MODE_START) && (order != TW_ORDER_ISLAND || mode == TW_MODE_ISLAND)
        && (mode != TW_MODE_ESTOP || order == TW_ORDER_OPEN) && (mode != TW_MODE_STOPPING || order == TW_ORDER_STOP)
        && (mode != TW_MODE_FAULT || order == TW_ORDER_STOP || order == TW_ORDER_OPEN);
}

/* ---- limits of a unit: limit.c ------------------------------------------------------------------------------- */

static inline bool within_rating(const tw_unit_config_t *config, const tw_unit_output_t *output)
{
    return output->charge_max_w >= 0 && output->charge_max_w <= config->power_charge_max_w && output->discharge_max_w >= 0
        && output->discharge_max_w <= config->power_discharge_max_w;
}

static inline bool limits_only(const tw_unit_state_t *before, const tw_unit_state_t *after)
{
    return after->active == before->active && after->latched == before->latched && after->mode == before->mode
        && after->setpoint_w == before->setpoint_w && after->clear_ms == before->clear_ms
        && after->cooldown_ms == before->cooldown_ms;
}

static inline bool no_power(const tw_unit_output_t *output)
{
    return output->charge_max_w == 0 && output->discharge_max_w == 0;
}

static inline bool forbidden_is_zero(const tw_unit_state_t *state, bool plausible, const tw_cycle_t *cycle,
                                     const tw_unit_output_t *output)
{
    return (cycle->usable || no_power(output)) && (plausible || no_power(output)) && (state->mode == TW_MODE_RUN || no_power(output))
        && (state->latched == 0U || no_power(output))
        && (!(state->active & TW_UNIT_AT(TW_LEVELS_ZERO)) || no_power(output))
        && (!(state->active & TW_UNIT_AT(TW_LEVEL_BIT(NO_CHARGE))) || output->charge_max_w == 0)
        && (!(state->active & TW_UNIT_AT(TW_LEVEL_BIT(NO_DISCHARGE))) || output->discharge_max_w == 0);
}

/* At its stop a battery goes no further: charge, cell voltage, cell temperature. */
static inline bool stops_are_zero(const tw_unit_config_t *config, const tw_unit_input_t *input, uint32_t commands,
                                  const tw_unit_output_t *output)
{
    bool may_charge = input->soc_cpct < tw_soc_top(config, commands) && input->cell_voltage_max_mv < config->cell_voltage_max_mv
        && input->cell_temp_min_dc > config->temp_charge_min_dc && input->cell_temp_max_dc < config->temp_charge_max_dc;
    bool may_discharge = input->soc_cpct > config->soc_min_cpct && input->cell_voltage_min_mv > config->cell_voltage_min_mv
        && input->cell_temp_max_dc < config->temp_max_dc;
    return (may_charge || output->charge_max_w == 0) && (may_discharge || output->discharge_max_w == 0);
}

/* ---- battery power: band.c ----------------------------------------------------------------------------------- */

static inline int64_t into(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static inline int64_t site_low_w(const tw_config_t *config, const tw_output_t *output)
{
    int32_t most_w = config->import_max_w < config->fuse_max_w ? config->import_max_w : config->fuse_max_w;
    return (int64_t)output->net_load_w - most_w;
}

static inline int64_t site_high_w(const tw_config_t *config, const tw_output_t *output)
{
    return (int64_t)output->net_load_w + config->export_max_w;
}

static inline bool battery_in_bands(const tw_config_t *config, const tw_cycle_t *cycle, const tw_output_t *output)
{
    int64_t battery_w = output->battery_w;
    return battery_w >= output->band_min_w && battery_w <= output->band_max_w && (cycle->usable || battery_w == 0)
        && (!cycle->usable || battery_w >= site_low_w(config, output) || battery_w == output->band_max_w)
        && (!cycle->usable || battery_w <= site_high_w(config, output) || battery_w == output->band_min_w);
}

/* By no more than the step from where it was, as far as the bands let it be there; an old meter's fade is quicker, and a bound. */
static inline bool battery_ramps(const tw_config_t *config, const tw_cycle_t *cycle, uint32_t active, int32_t before_w,
                                 int64_t step_w, const tw_output_t *output)
{
    int64_t home_w = into(before_w, site_low_w(config, output), site_high_w(config, output));
    home_w = into(home_w, output->band_min_w, output->band_max_w);
    return !cycle->usable || (active & SITE(POC_FADE)) != 0U || (output->battery_w - home_w <= step_w && home_w - output->battery_w <= step_w);
}

/* ---- the division: ratio.c ----------------------------------------------------------------------------------- */

/* What its callers may ask: the largest is a battery's power by the weight of a unit. Whatever it answers, they hold. */
static inline bool part_fits(int64_t whole, int64_t part)
{
    bool shares = among(-TW_BATTERY_LIMIT_W, whole, TW_BATTERY_LIMIT_W) && among(0, part, INT64_C(100) * TW_POWER_LIMIT_W);
    bool permille = among(-TW_BATTERY_LIMIT_W, whole, TW_BATTERY_LIMIT_W) && among(-1000, part, 1000);
    bool alone = among(0, whole, INT64_C(1000) * TW_POWER_LIMIT_W) && part == 1;
    return shares || permille || alone;
}

/* ---- shares: allocate.c -------------------------------------------------------------------------------------- */

static inline bool share_in_band(const tw_output_t *output, int32_t index)
{
    const tw_unit_output_t *unit = &output->unit[index];
    return unit->setpoint_w >= -unit->charge_max_w && unit->setpoint_w <= unit->discharge_max_w
        && (output->battery_w < 0 ? unit->setpoint_w <= 0 : unit->setpoint_w >= 0);
}

/* With one sign, in sizes: what the setpoints leave of the battery is nothing. */
static inline bool shares_add_up(const tw_config_t *config, const tw_output_t *output)
{
    int32_t left_w = output->battery_w < 0 ? -output->battery_w : output->battery_w;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        int32_t part_w = i < config->unit_count ? output->unit[i].setpoint_w : 0;
        left_w -= output->battery_w < 0 ? -part_w : part_w;
    }
    return left_w == 0;
}

#endif
