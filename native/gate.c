/* The last look before the wire. It knows no intent: only the list of what may be written at all, and the last output. */
#include "inner.h"

static bool writes(uint8_t function)
{
    return function == 5 || function == 6 || function == 15 || function == 16;
}

static bool listed(const tw_gate_rule_t *rule, const tw_write_t *write)
{
    return writes(rule->function) && rule->port_index == write->port_index && rule->address == write->address
        && rule->function == write->function && rule->reg == write->reg && rule->count == write->count
        && write->value >= rule->value_min && write->value <= rule->value_max;
}

static bool passes(const tw_gate_rule_t *rule, const tw_output_t *output, const tw_write_t *write)
{
    if (rule->kind == TW_GATE_VALUE) {
        return true;
    }
    if (rule->unit_index < 0 || rule->unit_index >= TW_UNITS) {
        return false;
    }
    const tw_unit_output_t *unit = &output->unit[rule->unit_index];
    if (rule->kind == TW_GATE_START) {
        return unit->order == TW_ORDER_START;
    }
    if (rule->kind == TW_GATE_POWER) {
        int64_t power_w = (int64_t)write->value * rule->scale_w;
        return write->value == 0
            || (rule->scale_w != 0 && output->mode == TW_MODE_RUN && power_w <= unit->discharge_max_w && -power_w <= unit->charge_max_w);
    }
    return false;
}

int32_t tw_tx_allowed(const tw_gate_rule_t *rules, int32_t rule_count, const tw_output_t *output, const tw_write_t *write)
{
    for (int32_t i = 0; i < rule_count; i++) {
        if (listed(&rules[i], write) && passes(&rules[i], output, write)) {
            return 1;
        }
    }
    return 0;
}
