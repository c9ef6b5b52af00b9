/* What is wrong with the battery of one unit, as its cells say: charge, voltages, temperatures, currents, insulation. Asked only
 * while the values are plausible. Thresholds are the configuration's; back is the way from a threshold that clears it. */
#include "inner.h"

#define MINUTE_MS 60000
#define OVER_DA 20 /* 2 A: an excess that a current sensor cannot tell from its error */

/* Causes that are gone as soon as they do not trip. */
#define PLAIN                                                                                          \
    (TW_UNIT_BIT(CHARGE_FORBIDDEN) | TW_UNIT_BIT(DISCHARGE_FORBIDDEN) | TW_UNIT_BIT(CELL_VOLTAGE_TRIP) \
     | TW_UNIT_BIT(CELL_DEAD) | TW_UNIT_BIT(PACK_VOLTAGE_TRIP) | TW_UNIT_BIT(TEMP_TRIP)                \
     | TW_UNIT_BIT(TEMP_RISE) | TW_UNIT_BIT(CELL_SPREAD_TRIP) | TW_UNIT_BIT(TEMP_SPREAD_TRIP)          \
     | TW_UNIT_BIT(OVERCURRENT) | TW_UNIT_BIT(OVERCURRENT_FAST) | TW_UNIT_BIT(INSULATION_WARN)         \
     | TW_UNIT_BIT(INSULATION))
/* Those that have hysteresis, of voltages, temperatures and spreads. */
#define MIDDLE                                                                                            \
    (TW_UNIT_BIT(CELL_VOLTAGE_LOW) | TW_UNIT_BIT(CELL_VOLTAGE_HIGH) | TW_UNIT_BIT(PACK_VOLTAGE_LOW)      \
     | TW_UNIT_BIT(PACK_VOLTAGE_HIGH) | TW_UNIT_BIT(TEMP_LOW_CHARGE) | TW_UNIT_BIT(TEMP_LOW)             \
     | TW_UNIT_BIT(TEMP_HIGH_CHARGE) | TW_UNIT_BIT(TEMP_HIGH) | TW_UNIT_BIT(CELL_SPREAD_WARN)            \
     | TW_UNIT_BIT(CELL_SPREAD) | TW_UNIT_BIT(TEMP_SPREAD_WARN) | TW_UNIT_BIT(TEMP_SPREAD))

bool tw_plausible(const tw_unit_input_t *input)
{
    return input->soc_cpct >= 0 && input->soc_cpct <= 10000
        && input->pack_voltage_dv > 0 && input->pack_voltage_dv <= 20000
        && input->current_charge_max_da >= 0 && input->current_charge_max_da <= 100000
        && input->current_discharge_max_da >= 0 && input->current_discharge_max_da <= 100000
        && input->pack_current_da >= -100000 && input->pack_current_da <= 100000
        && input->cell_voltage_min_mv >= 0 && input->cell_voltage_min_mv <= input->cell_voltage_max_mv
        && input->cell_voltage_max_mv <= 5000
        && input->cell_temp_min_dc >= -600 && input->cell_temp_min_dc <= input->cell_temp_max_dc
        && input->cell_temp_max_dc <= 1500
        && (input->insulation_kohm >= 0 || input->insulation_kohm == TW_UNKNOWN);
}

static void judge_high(tw_judged_t *judged, int32_t cause, int32_t value, int32_t limit, int32_t back)
{
    tw_judge(judged, cause, value >= limit, value <= limit - back);
}

static void judge_low(tw_judged_t *judged, int32_t cause, int32_t value, int32_t limit, int32_t back)
{
    tw_judge(judged, cause, value <= limit, value >= limit + back);
}

/* 100 mV a cell of a pack whose cells may go from 2.95 to 3.55 V. */
static int32_t pack_back_of(const tw_unit_config_t *config)
{
    return (int32_t)((uint32_t)(config->pack_voltage_max_dv - config->pack_voltage_min_dv) / 6U); /* max is above min (init.c) */
}

/* An eighth below a limit of at least 1 (init.c). */
static int32_t below(int32_t limit)
{
    return limit - (int32_t)((uint32_t)limit / 8U);
}

/* The comfortable middle of each value, where nothing is wrong and everything is clear: as nearly always, so it is asked first.
 * Thresholds ascend (init.c), so what clears the innermost clears them all. */
static bool comfortable(const tw_unit_config_t *config, const tw_unit_input_t *input)
{
    int32_t pack_back_dv = pack_back_of(config);
    return input->cell_voltage_min_mv >= config->cell_voltage_min_mv + config->cell_voltage_hysteresis_mv
        && input->cell_voltage_max_mv <= config->cell_voltage_max_mv - config->cell_voltage_hysteresis_mv
        && input->pack_voltage_dv > config->pack_voltage_min_dv + pack_back_dv
        && input->pack_voltage_dv < config->pack_voltage_max_dv - pack_back_dv
        && input->cell_temp_min_dc >= config->temp_charge_min_dc + config->temp_hysteresis_dc
        && input->cell_temp_max_dc <= config->temp_charge_max_dc - config->temp_hysteresis_dc
        && input->cell_voltage_max_mv - input->cell_voltage_min_mv < below(config->cell_spread_warn_mv)
        && input->cell_temp_max_dc - input->cell_temp_min_dc < below(config->temp_spread_warn_dc);
}

static void judge_charge(const tw_unit_config_t *config, uint32_t mode, const tw_unit_input_t *input, uint32_t commands,
                         tw_judged_t *judged)
{
    int32_t soc_cpct = input->soc_cpct;
    int32_t back_cpct = config->soc_hysteresis_cpct;
    int32_t top_cpct = tw_soc_top(config, commands);
    bool kept = config->soc_reserve_cpct > 0 && mode != TW_MODE_ISLAND; /* an island is what the reserve is for */
    tw_trip(judged, TW_UNIT_C_CHARGE_FORBIDDEN,
             (input->bms_flags & TW_BMS_CHARGE_FORBIDDEN) != 0U || input->current_charge_max_da == 0);
    tw_trip(judged, TW_UNIT_C_DISCHARGE_FORBIDDEN,
             (input->bms_flags & TW_BMS_DISCHARGE_FORBIDDEN) != 0U || input->current_discharge_max_da == 0);
    judge_low(judged, TW_UNIT_C_SOC_LOW, soc_cpct, config->soc_min_cpct, back_cpct);
    judge_high(judged, TW_UNIT_C_SOC_HIGH, soc_cpct, top_cpct, back_cpct);
    tw_judge(judged, TW_UNIT_C_RESERVE, kept && soc_cpct <= config->soc_reserve_cpct,
             !kept || soc_cpct >= config->soc_reserve_cpct + back_cpct);
}

static void judge_voltages(const tw_unit_config_t *config, const tw_unit_input_t *input, tw_judged_t *judged)
{
    int32_t low_mv = input->cell_voltage_min_mv;
    int32_t high_mv = input->cell_voltage_max_mv;
    int32_t pack_dv = input->pack_voltage_dv;
    int32_t back_dv = pack_back_of(config);
    judge_low(judged, TW_UNIT_C_CELL_VOLTAGE_LOW, low_mv, config->cell_voltage_min_mv, config->cell_voltage_hysteresis_mv);
    judge_high(judged, TW_UNIT_C_CELL_VOLTAGE_HIGH, high_mv, config->cell_voltage_max_mv,
               config->cell_voltage_hysteresis_mv);
    tw_trip(judged, TW_UNIT_C_CELL_VOLTAGE_TRIP,
             low_mv <= config->cell_voltage_trip_low_mv || high_mv >= config->cell_voltage_trip_high_mv);
    tw_trip(judged, TW_UNIT_C_CELL_DEAD, low_mv <= config->cell_voltage_dead_mv);
    judge_low(judged, TW_UNIT_C_PACK_VOLTAGE_LOW, pack_dv, config->pack_voltage_min_dv, back_dv);
    judge_high(judged, TW_UNIT_C_PACK_VOLTAGE_HIGH, pack_dv, config->pack_voltage_max_dv, back_dv);
    tw_trip(judged, TW_UNIT_C_PACK_VOLTAGE_TRIP,
             pack_dv <= config->pack_voltage_trip_low_dv || pack_dv >= config->pack_voltage_trip_high_dv);
}

static void judge_temps(const tw_unit_config_t *config, const tw_unit_input_t *input, tw_judged_t *judged)
{
    int32_t cold_dc = input->cell_temp_min_dc;
    int32_t warm_dc = input->cell_temp_max_dc;
    int32_t back_dc = config->temp_hysteresis_dc;
    judge_low(judged, TW_UNIT_C_TEMP_LOW_CHARGE, cold_dc, config->temp_charge_min_dc, back_dc);
    judge_low(judged, TW_UNIT_C_TEMP_LOW, cold_dc, config->temp_min_dc, back_dc);
    judge_high(judged, TW_UNIT_C_TEMP_HIGH_CHARGE, warm_dc, config->temp_charge_max_dc, back_dc);
    judge_high(judged, TW_UNIT_C_TEMP_HIGH, warm_dc, config->temp_max_dc, back_dc);
    tw_trip(judged, TW_UNIT_C_TEMP_TRIP, warm_dc >= config->temp_trip_dc);
}

static void judge_rise(const tw_unit_config_t *config, const tw_unit_state_t *state, int32_t warm_dc, tw_judged_t *judged)
{
    bool known = state->temp_then_ms >= 0; /* else it is taken in this cycle, and nothing has risen since */
    tw_trip(judged, TW_UNIT_C_TEMP_RISE,
            known && (int64_t)warm_dc - state->temp_then_dc > config->temp_rise_max_dc_per_min);
}

static void judge_spread(tw_judged_t *judged, int32_t cause, int32_t spread, int32_t limit)
{
    tw_judge(judged, cause, spread >= limit, spread < below(limit));
}

static void judge_spreads(const tw_unit_config_t *config, const tw_unit_input_t *input, tw_judged_t *judged)
{
    int32_t cell_mv = input->cell_voltage_max_mv - input->cell_voltage_min_mv;
    int32_t temp_dc = input->cell_temp_max_dc - input->cell_temp_min_dc;
    judge_spread(judged, TW_UNIT_C_CELL_SPREAD_WARN, cell_mv, config->cell_spread_warn_mv);
    judge_spread(judged, TW_UNIT_C_CELL_SPREAD, cell_mv, config->cell_spread_derate_mv);
    tw_trip(judged, TW_UNIT_C_CELL_SPREAD_TRIP, cell_mv >= config->cell_spread_trip_mv);
    judge_spread(judged, TW_UNIT_C_TEMP_SPREAD_WARN, temp_dc, config->temp_spread_warn_dc);
    judge_spread(judged, TW_UNIT_C_TEMP_SPREAD, temp_dc, config->temp_spread_derate_dc);
    tw_trip(judged, TW_UNIT_C_TEMP_SPREAD_TRIP, temp_dc >= config->temp_spread_trip_dc);
}

static void judge_current(const tw_unit_input_t *input, tw_judged_t *judged)
{
    bool discharges = input->pack_current_da > 0;
    int32_t size_da = discharges ? input->pack_current_da : -input->pack_current_da;
    int32_t limit_da = discharges ? input->current_discharge_max_da : input->current_charge_max_da;
    int32_t over_da = size_da - limit_da;
    if (over_da <= OVER_DA) {
        return;
    }
    tw_trip(judged, TW_UNIT_C_OVERCURRENT, over_da > tw_most(limit_da / 20, OVER_DA));
    tw_trip(judged, TW_UNIT_C_OVERCURRENT_FAST, over_da > tw_most(limit_da / 10, 2 * OVER_DA));
}

static void judge_insulation(const tw_unit_config_t *config, int32_t kohm, tw_judged_t *judged)
{
    bool known = kohm != TW_UNKNOWN;
    tw_trip(judged, TW_UNIT_C_INSULATION_WARN, known && kohm < config->insulation_warn_kohm);
    tw_trip(judged, TW_UNIT_C_INSULATION, known && kohm < config->insulation_trip_kohm);
}

/* The warmest cell a minute ago; judge_rise has looked at it. */
static void age_temp(tw_unit_state_t *state, int32_t warm_dc, int32_t dt_ms)
{
    int32_t age_ms = state->temp_then_ms < 0 ? MINUTE_MS : tw_longer(state->temp_then_ms, dt_ms);
    if (age_ms >= MINUTE_MS) {
        state->temp_then_dc = warm_dc;
        age_ms = 0;
    }
    state->temp_then_ms = age_ms;
}

tw_judged_t tw_judge_cells(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input,
                           uint32_t commands, int32_t dt_ms)
{
    tw_judged_t judged = {0, 0};
    judge_charge(config, state->mode, input, commands, &judged);
    judge_rise(config, state, input->cell_temp_max_dc, &judged);
    age_temp(state, input->cell_temp_max_dc, dt_ms);
    judge_current(input, &judged);
    judge_insulation(config, input->insulation_kohm, &judged);
    if (comfortable(config, input)) {
        judged.clear |= MIDDLE;
    } else {
        judge_voltages(config, input, &judged);
        judge_temps(config, input, &judged);
        judge_spreads(config, input, &judged);
    }
    tw_clear_rest(&judged, PLAIN);
    return judged;
}
