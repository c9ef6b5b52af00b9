/* The last look before the wire. It knows no intent: only the list of what may be written at all, the last output, and when each
 * row was last used. */
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

static bool in_mode(const tw_gate_rule_t *rule, uint32_t mode)
{
    return mode < TW_MODES && ((rule->modes >> mode) & 1U) != 0U;
}

/* A clock that ran backwards gives a huge gap, and a negative interval asks for one: neither is worth a case of its own. */
static bool rested(const tw_gate_rule_t *rule, int64_t written_mono_ms, int64_t mono_ms)
{
    uint64_t gap_ms = (uint64_t)mono_ms - (uint64_t)written_mono_ms;
    return written_mono_ms == INT64_MIN || gap_ms >= (uint64_t)(int64_t)rule->interval_ms;
}

static bool inside_band(const tw_gate_rule_t *rule, const tw_unit_output_t *unit, int32_t value)
{
    int64_t power_w = (int64_t)value * rule->scale_w;
    return rule->scale_w != 0 && power_w <= unit->discharge_max_w && -power_w <= unit->charge_max_w;
}

static bool passes(const tw_gate_rule_t *rule, int64_t written_mono_ms, const tw_output_t *output, const tw_write_t *write)
{
    bool free = rested(rule, written_mono_ms, write->mono_ms);
    if (rule->unit_index == -1) {
        return rule->kind == TW_GATE_VALUE && in_mode(rule, output->mode) && free;
    }
    if (rule->unit_index < 0 || rule->unit_index >= TW_UNITS) {
        return false;
    }
    const tw_unit_output_t *unit = &output->unit[rule->unit_index];
    bool timely = in_mode(rule, unit->mode) && free;
    switch (rule->kind) {
    case TW_GATE_VALUE:
        return timely;
    case TW_GATE_POWER: /* nothing is in the way of 0 W */
        return write->value == 0 || (timely && inside_band(rule, unit, write->value));
    case TW_GATE_ORDER:
        return timely && (int64_t)unit->order == rule->order;
    default:
        return false;
    }
}

int32_t tw_tx_allowed(const tw_gate_rule_t *rules, int64_t *written_mono_ms, int32_t rule_count,
                      const tw_output_t *output, const tw_write_t *write)
{
    for (int32_t i = 0; i < rule_count; i++) {
        if (listed(&rules[i], write) && passes(&rules[i], written_mono_ms[i], output, write)) {
            written_mono_ms[i] = write->mono_ms;
            return i;
        }
    }
    return -1;
}
