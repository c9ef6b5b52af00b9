/* How much one unit may charge and discharge in this cycle: the least of PCS rating and what the BMS allows; zero while any
 * cause forbids it. Falls at once, rises slowly. */
#include "inner.h"

/* da * dv is watts times 100. */
static int32_t least_w(int32_t rating_w, int32_t current_da, int32_t voltage_dv, uint32_t *why)
{
    int64_t allowed_w = (int64_t)current_da * voltage_dv / 100;
    if (allowed_w < rating_w) {
        *why |= TW_UNIT_CURRENT_LIMIT;
        return tw_clamp(allowed_w, 0, rating_w);
    }
    return rating_w;
}

/* Raises the slewed limit towards now_w; W/s times ms is milliwatts, so no remainder is lost. */
static int32_t slew(int64_t *limit_mw, int32_t now_w, int32_t rise_w_per_s, int32_t dt_ms, uint32_t *why)
{
    const int64_t most_mw = (int64_t)TW_POWER_LIMIT_W * 1000;
    int64_t now_mw = (int64_t)now_w * 1000;
    int64_t from_mw = *limit_mw < 0 ? 0 : *limit_mw > most_mw ? most_mw : *limit_mw;
    int64_t reach_mw = from_mw + (int64_t)rise_w_per_s * dt_ms;
    *why |= now_mw > reach_mw ? (uint32_t)TW_UNIT_SLEW : 0U;
    *limit_mw = now_mw > reach_mw ? reach_mw : now_mw;
    return (int32_t)(*limit_mw / 1000);
}

void tw_unit_limits(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input,
                    int32_t dt_ms, tw_unit_output_t *output)
{
    int32_t charge_w = 0;
    int32_t discharge_w = 0;
    if (!(output->why & TW_UNIT_BLOCKING)) {
        if (!(output->why & TW_UNIT_NO_CHARGE)) {
            charge_w = least_w(config->power_charge_max_w, input->current_charge_max_da, input->pack_voltage_dv,
                               &output->why);
        }
        if (!(output->why & TW_UNIT_NO_DISCHARGE) && !(state->active & TW_ACTIVE_COLD)) {
            discharge_w = least_w(config->power_discharge_max_w, input->current_discharge_max_da,
                                  input->pack_voltage_dv, &output->why);
        }
    }
    const int32_t rise_w_per_s = config->limit_rise_w_per_s;
    output->charge_max_w = slew(&state->charge_limit_mw, charge_w, rise_w_per_s, dt_ms, &output->why);
    output->discharge_max_w = slew(&state->discharge_limit_mw, discharge_w, rise_w_per_s, dt_ms, &output->why);
}
