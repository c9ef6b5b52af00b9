/* The vector file: records of {kind, size} and that many bytes (a multiple of 8). Integers as in memory on a little-endian
 * machine; the structs have the same layout on every machine that the kernel knows. Read by replay.c and oracle tests. */
#ifndef TW_VECTORS_H
#define TW_VECTORS_H

#include "kernel.h"

enum record_kind {
    RECORD_CONFIG = 1, /* tw_config_t; then tw_init */
    RECORD_WORD,       /* record_word_t: one int32 of the configuration is replaced for good; then tw_init */
    RECORD_PATCH,      /* record_patch_t: bytes of the state are replaced */
    RECORD_STEP,       /* tw_input_t, tw_wish_t (padded to 8): one cycle; the wish half, if replaced, says this */
    RECORD_WRITE,      /* record_write_t: the gate's answer to the last output */
    RECORD_CHANGE      /* record_word_t: as RECORD_WORD, but without tw_init: the step itself must see it */
};

enum { RULES = 3 };

typedef struct {
    uint32_t kind, size_bytes;
} record_head_t;

typedef struct {
    uint32_t offset_bytes;
    int32_t value;
} record_word_t;

typedef struct {
    uint16_t of_unit, size_bytes; /* of_unit 1: the offset is from the first unit's, else from the state's; size 4 or 8 */
    uint32_t offset_bytes;
    int64_t value;
} record_patch_t;

typedef struct {
    tw_gate_rule_t rule[RULES];
    int32_t rule_count, mode_shown; /* mode_shown: what the output's modes are made to be for the gate; -1: as they are */
    int64_t written_mono_ms[RULES];
    tw_write_t write;
} record_write_t;

typedef struct {
    tw_input_t input;
    tw_wish_t wish;
} record_step_t;

_Static_assert(sizeof(record_write_t) % 8 == 0 && sizeof(record_step_t) % 8 == 0, "records");

#endif
