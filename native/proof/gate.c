/* The gate: what passes is listed, in its range, of its kind, in its mode and after its interval; only the row that passes is
 * stamped. The rule is written here a second time, from the handbook; any rules, any history, any output, any write. */
#include "proof.h"

enum { ROWS = 3 };

static bool in_band(const tw_gate_rule_t *rule, const tw_unit_output_t *unit, const tw_write_t *write)
{
    int64_t power_w = (int64_t)write->value * rule->scale_w;
    return rule->scale_w != 0 && power_w >= -(int64_t)unit->charge_max_w && power_w <= (int64_t)unit->discharge_max_w;
}

static bool in_mode(uint32_t modes, uint32_t mode)
{
    return mode < TW_MODES && ((modes >> mode) & 1U) == 1U;
}

static bool may_pass(const tw_gate_rule_t *rule, int64_t written_mono_ms, const tw_output_t *output,
                     const tw_write_t *write)
{
    bool of_unit = rule->unit_index >= 0 && rule->unit_index < TW_UNITS;
    bool of_site = rule->unit_index == -1;
    bool writes = rule->function == 5 || rule->function == 6 || rule->function == 15 || rule->function == 16;
    if (!writes || rule->port_index != write->port_index || rule->address != write->address
        || rule->function != write->function || rule->reg != write->reg || rule->count != write->count
        || write->value < rule->value_min || write->value > rule->value_max || (!of_unit && !of_site)) {
        return false;
    }
    if (rule->kind != TW_GATE_VALUE && !of_unit) {
        return false;
    }
    if (rule->kind == TW_GATE_POWER && write->value == 0) {
        return true;
    }
    const tw_unit_output_t *unit = &output->unit[of_unit ? rule->unit_index : 0];
    bool kind_ok = rule->kind == TW_GATE_VALUE
        || (rule->kind == TW_GATE_POWER && in_band(rule, unit, write))
        || (rule->kind == TW_GATE_ORDER && unit->order == (uint32_t)rule->order);
    uint64_t since_ms = (uint64_t)write->mono_ms - (uint64_t)written_mono_ms;
    bool rested = written_mono_ms == INT64_MIN || since_ms >= (uint64_t)(int64_t)rule->interval_ms;
    return kind_ok && in_mode(rule->modes, of_unit ? unit->mode : output->mode) && rested;
}

void prove_gate(void)
{
    tw_gate_rule_t rules[ROWS] = {nondet_rule(), nondet_rule(), nondet_rule()};
    const int64_t before_ms[ROWS] = {nondet_int64(), nondet_int64(), nondet_int64()};
    int64_t written_ms[ROWS] = {before_ms[0], before_ms[1], before_ms[2]};
    int32_t rule_count = any_between(INT32_MIN, ROWS);
    tw_output_t output = nondet_output();
    tw_write_t write = nondet_write();

    int32_t row = tw_tx_allowed(rules, written_ms, rule_count, &output, &write);

    HOLDS(row >= -1 && (row < rule_count || row == -1), "the answer is -1 or a row");
    SHOW(row, row);
    SHOW(value, write.value);
    SHOW(function, write.function);
    for (int32_t k = 0; k < ROWS; k++) {
        bool may = k < rule_count && may_pass(&rules[k], before_ms[k], &output, &write);
        HOLDS(row != k || may, "(h) what passes is listed, in range, of its kind, in its mode and after its interval");
        HOLDS(!may || (row >= 0 && row <= k), "what may pass does so by the first rule that lists it");
        HOLDS(written_ms[k] == (row == k ? write.mono_ms : before_ms[k]), "the row that passes is stamped, no other");
    }
}
