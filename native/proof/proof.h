/* What every proof shares: values that may be anything, what is given, what must hold. The harnesses are read by CBMC only
 * and are never compiled into the kernel; a function without a body whose name begins with nondet_ returns any value of its type. */
#ifndef TW_PROOF_H
#define TW_PROOF_H

#include <stdbool.h>

#include "../inner.h"

#ifndef UNIT_COUNT
#define UNIT_COUNT TW_UNITS /* proofs.toml may name others */
#endif

#define GIVEN(condition) __CPROVER_assume(condition)
#ifdef TW_ONLY_END
#define HOLDS(condition, name) (void)(condition)
#else
#define HOLDS(condition, name) __CPROVER_assert((condition), name)
#endif
#ifdef TW_NO_END
#define END
#else
#define END __CPROVER_assert(0, "reached") /* must fail: else what is given contradicts itself, and anything holds */
#endif
#define SHOW(name, value) const int64_t name##_is = (int64_t)(uint64_t)(value) /* printed beside a refutation */

bool nondet_bool(void);
int32_t nondet_int32(void);
uint32_t nondet_uint32(void);
int64_t nondet_int64(void);
uint64_t nondet_uint64(void);
tw_config_t nondet_config(void);
tw_unit_config_t nondet_unit_config(void);
tw_input_t nondet_input(void);
tw_unit_input_t nondet_unit_input(void);
tw_state_t nondet_state(void);
tw_unit_state_t nondet_unit_state(void);
tw_output_t nondet_output(void);
tw_unit_output_t nondet_unit_output(void);
tw_wish_state_t nondet_wish_state(void);
tw_wish_t nondet_wish(void);
tw_gate_rule_t nondet_rule(void);
tw_write_t nondet_write(void);
tw_cause_row_t nondet_row(void);
tw_facts_t nondet_facts(void);
tw_cycle_t nondet_cycle(void);

static inline int32_t any_between(int32_t low, int32_t high)
{
    int32_t value = nondet_int32();
    GIVEN(value >= low && value <= high);
    return value;
}

#endif
