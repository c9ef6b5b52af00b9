/* The kernel for C: the ABI text with guard, includes and the sizes it must have on every machine. */
#ifndef TW_KERNEL_H
#define TW_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "kernel_abi.h"

/* The same on x86-64, aarch64 and armhf: a trace from one replays on another. */
_Static_assert(sizeof(tw_unit_config_t) == 84 && sizeof(tw_config_t) == 712, "config");
_Static_assert(sizeof(tw_unit_input_t) == 56 && sizeof(tw_input_t) == 496, "input");
_Static_assert(sizeof(tw_unit_state_t) == 32 && sizeof(tw_state_t) == 328, "state");
_Static_assert(sizeof(tw_unit_output_t) == 24 && sizeof(tw_output_t) == 256, "output");
_Static_assert(sizeof(tw_gate_rule_t) == 24 && sizeof(tw_write_t) == 12, "gate");
/* int64 sits on a multiple of 8 by its place in the struct, not by the machine's taste. */
_Static_assert(offsetof(tw_state_t, poc_reference_mw) % 8 == 0 && offsetof(tw_state_t, first_out_mono_ms) % 8 == 0
               && offsetof(tw_state_t, unit) % 8 == 0 && offsetof(tw_unit_state_t, charge_limit_mw) % 8 == 0
               && offsetof(tw_output_t, first_out_mono_ms) % 8 == 0, "int64 alignment");

#endif
