/* The kernel for C: the ABI text with guard, includes and the sizes it must have on every machine. */
#ifndef TW_KERNEL_H
#define TW_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "kernel_abi.h"

/* The same on x86-64, aarch64 and armhf: a trace from one replays on another. */
_Static_assert(sizeof(tw_unit_config_t) == 192 && sizeof(tw_wish_config_t) == 116 && sizeof(tw_config_t) == 1760, "config");
_Static_assert(sizeof(tw_unit_input_t) == 72 && sizeof(tw_announcement_t) == 16 && sizeof(tw_input_t) == 712, "input");
_Static_assert(sizeof(tw_unit_state_t) == 312 && sizeof(tw_wish_state_t) == 1416 && sizeof(tw_state_t) == 4120, "state");
_Static_assert(sizeof(tw_unit_output_t) == 112 && sizeof(tw_output_t) == 1064, "output");
_Static_assert(sizeof(tw_gate_rule_t) == 36 && sizeof(tw_write_t) == 24, "gate");
_Static_assert(sizeof(tw_cause_row_t) == 12, "row");
/* int64 sits on a multiple of 8 by its place in the struct, not by the machine's taste. */
_Static_assert(offsetof(tw_input_t, announcement) % 8 == 0 && offsetof(tw_input_t, unit) % 8 == 0, "int64 in input");
_Static_assert(offsetof(tw_state_t, wish) % 8 == 0 && offsetof(tw_state_t, unit) % 8 == 0
               && offsetof(tw_unit_state_t, charge_limit_mw) % 8 == 0 && offsetof(tw_wish_state_t, disagreement) % 8 == 0, "int64 in state");
_Static_assert(offsetof(tw_output_t, unit) % 8 == 0 && offsetof(tw_write_t, mono_ms) % 8 == 0, "int64 in output and write");
/* A set of causes is a mask in one word. */
_Static_assert(TW_UNIT_CAUSES == 52 && TW_SITE_CAUSES == 32 && TW_MODES == 12 && TW_EVENTS == 12, "counts");

#endif
