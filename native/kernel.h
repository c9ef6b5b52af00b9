/* The kernel for C: the ABI text with guard, includes and the sizes it must have on every machine. */
#ifndef TW_KERNEL_H
#define TW_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "kernel_abi.h"

_Static_assert(sizeof(tw_unit_config_t) == 84, "tw_unit_config_t");
_Static_assert(sizeof(tw_unit_input_t) == 56, "tw_unit_input_t");

#endif
