/* The gate: what passes is listed, in its range, of its kind, in its mode and after its interval; only the row that passes is
 * stamped. The rule is written here a second time, from the handbook; any rules, any history, any output, any write. */
#include "proof.h"

bool any_passes(const tw_gate_rule_t *rule, int64_t written_mono_ms, const tw_output_t *output, const tw_write_t *write);

bool any_inside_band(const tw_gate_rule_t *rule, const tw_unit_output_t *unit, int32_t value);
bool __CPROVER_uninterpreted_inside(int32_t scale_w, int32_t charge_max_w, int32_t discharge_max_w, int32_t value);

#include "../gate.c"

enum { ROWS = 12 };

/* The same answer for the same numbers, whatever it is; which one is proved by prove_inside. */
bool any_inside_band(const tw_gate_rule_t *rule, const tw_unit_output_t *unit, int32_t value)
{
    return __CPROVER_uninterpreted_inside(rule->scale_w, unit->charge_max_w, unit->discharge_max_w, value);
}

void prove_inside(void)
{
    tw_gate_rule_t rule = nondet_rule();
    tw_unit_output_t unit = nondet_unit_output();
    int32_t value = nondet_int32();
    bool inside = inside_band(&rule, &unit, value);
    int64_t power_w = (int64_t)value * rule.scale_w;
    GIVEN(power_w >= -(INT64_C(1) << 62) && power_w <= INT64_C(1) << 62); /* two int32: by their types, nothing to search */
    SHOW(power_w, power_w);
    SHOW(charge_max_w, unit.charge_max_w);
    SHOW(discharge_max_w, unit.discharge_max_w);
    HOLDS(!inside || (power_w >= -(int64_t)unit.charge_max_w && power_w <= unit.discharge_max_w && rule.scale_w != 0),
          "(h) a power that passes is within the unit's band");
    END;
}

static bool mode_listed(uint32_t modes, uint32_t mode)
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
        || (rule->kind == TW_GATE_POWER && any_inside_band(rule, unit, write->value))
        || (rule->kind == TW_GATE_ORDER && (int64_t)unit->order == rule->order);
    uint64_t since_ms = (uint64_t)write->mono_ms - (uint64_t)written_mono_ms;
    bool rested = written_mono_ms == INT64_MIN || since_ms >= (uint64_t)(int64_t)rule->interval_ms;
    return kind_ok && mode_listed(rule->modes, of_unit ? unit->mode : output->mode) && rested;
}

/* One rule, whatever it, its history, the output and the write are. */
void prove_rule(void)
{
    tw_gate_rule_t rule = nondet_rule();
    int64_t written_ms = nondet_int64();
    const int64_t before_ms = written_ms;
    tw_output_t output = nondet_output();
    tw_write_t write = nondet_write();
    SHOW(value, write.value);
    SHOW(value_min, rule.value_min);
    SHOW(value_max, rule.value_max);
    SHOW(scale_w, rule.scale_w);
    SHOW(unit_index, rule.unit_index);

    bool passed = tw_tx_allowed(&rule, &written_ms, 1, &output, &write) == 0;

    bool may = may_pass(&rule, before_ms, &output, &write);
    HOLDS(!passed || may, "(h) what passes is listed, in range, of its kind, in its mode and after its interval");
    HOLDS(passed || !may, "what the rule lists passes");
    HOLDS(written_ms == (passed ? write.mono_ms : before_ms), "a row is stamped when it passes, and only then");
    END;
}

bool any_passes(const tw_gate_rule_t *rule, int64_t written_mono_ms, const tw_output_t *output, const tw_write_t *write)
{
    (void)rule;
    (void)output;
    (void)write;
    return written_mono_ms != 0; /* any answer: the history is any, and this is the row's own */
}

/* Several rules: the first that lets the write pass, and no other is stamped. */
void prove_rows(void)
{
    tw_gate_rule_t rules[ROWS];
    int64_t before_ms[ROWS];
    int64_t written_ms[ROWS];
    for (int32_t i = 0; i < ROWS; i++) {
        rules[i] = nondet_rule();
        written_ms[i] = before_ms[i] = nondet_int64();
    }
    int32_t rule_count = any_between(INT32_MIN, ROWS);
    tw_output_t output;
    tw_write_t write = nondet_write();

    int32_t row = tw_tx_allowed(rules, written_ms, rule_count, &output, &write);

    SHOW(row, row);
    SHOW(rule_count, rule_count);
    SHOW(value, write.value);
    SHOW(mono_ms, write.mono_ms);
    HOLDS(row >= -1 && (row < rule_count || row == -1), "the answer is -1 or a row");
    for (int32_t k = 0; k < ROWS; k++) {
        bool may = k < rule_count && listed(&rules[k], &write) && before_ms[k] != 0;
        HOLDS(row != k || may, "the row that answers lets it pass");
        HOLDS(!may || (row >= 0 && row <= k), "no row before it does");
        HOLDS(written_ms[k] == (row == k ? write.mono_ms : before_ms[k]), "that row is stamped, no other");
    }
    END;
}
