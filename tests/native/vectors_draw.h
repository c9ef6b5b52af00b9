/* Values for vectors: drawn by a seed, at and about limits, and written out as records. For vectors.c alone. */
#ifndef TW_VECTORS_DRAW_H
#define TW_VECTORS_DRAW_H

#include <stdio.h>

#include "vectors.h"
#include "vectors_site.h"

static uint64_t seed;

static uint64_t draw(void)
{
    uint64_t z = (seed += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static int32_t below(int32_t count)
{
    return (int32_t)(draw() % (uint64_t)count);
}

static bool one_in(int32_t count)
{
    return below(count) == 0;
}

/* The value, or one less or more. Here and below one draw a statement: C does not say which of two comes first. */
static int64_t nudge(int64_t value)
{
    return value - 1 + below(3);
}

static int32_t either_sign(int32_t value)
{
    return one_in(2) ? value : -value;
}

static int32_t narrow(int64_t value)
{
    return (int32_t)(value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : value);
}

static int32_t extreme(void)
{
    static const int32_t pool[] = {INT32_MIN, INT32_MAX, TW_UNKNOWN, 0, 1, -1, TW_POWER_LIMIT_W, TW_POWER_LIMIT_W + 1,
                                   -TW_POWER_LIMIT_W, -TW_POWER_LIMIT_W - 1, 10000, 10001, 20000, 20001, 100000, 100001,
                                   -100000, -100001, 5000, 5001, -600, -601, 1500, 1501, 100, 99, 101};
    return one_in(12) ? (int32_t)draw() : pool[below((int32_t)(sizeof pool / sizeof pool[0]))];
}

/* One of the limits, or the sum, difference or mean of two of them, by -1, 0 or +1. */
static inline int32_t near_limit(const int32_t *limits, int32_t count)
{
    int64_t a = limits[below(count)];
    int64_t b = limits[below(count)];
    int64_t value = a;
    switch (below(8)) {
    case 0: value = a + b; break;
    case 1: value = a - b; break;
    case 2: value = (a + b) / 2; break;
    case 3: value = a - a / 8; break;
    default: break;
    }
    return narrow(nudge(value));
}

static void emit(uint32_t kind, const void *bytes, size_t size_bytes)
{
    record_head_t head = {kind, (uint32_t)size_bytes};
    fwrite(&head, sizeof head, 1, stdout);
    fwrite(bytes, 1, size_bytes, stdout);
}

static void emit_patch(uint16_t of_unit, size_t offset_bytes, size_t size_bytes, int64_t value)
{
    record_patch_t patch = {of_unit, (uint16_t)size_bytes, (uint32_t)offset_bytes, value};
    emit(RECORD_PATCH, &patch, sizeof patch);
}

#define SITE(field) 0, offsetof(tw_state_t, field), sizeof(((tw_state_t *)0)->field)
#define UNIT(index, field) \
    1, (size_t)(index) * sizeof(tw_unit_state_t) + offsetof(tw_unit_state_t, field), \
        sizeof(((tw_unit_state_t *)0)->field)

static tw_config_t config;
static record_step_t step;

/* These words of a configuration at the edges of their range: accepted or not, and now and then one cycle of it. */
static void emit_edges(size_t first, size_t count)
{
    for (size_t word = first; word < first + count; word++) {
        const int32_t *at = (const int32_t *)(const void *)&config + word;
        const int32_t edges[] = {-1, 0, 1, TW_POWER_LIMIT_W, TW_POWER_LIMIT_W + 1, INT32_MIN, INT32_MAX, at[0] - 1,
                                 at[0] + 1, word > 0 ? at[-1] : 0, at[1], 10001, 600000, 600001, 3600000, 3600001, -601,
                                 1501, 5001, 20001, 49, 50, 1000, 1001, 9, 8, 3, 4, 2, 100000, 100001, 1000000, 1000001,
                                 86400000, 86400001, 2000, 2001, 5000, 99, 100, -99, -100, -1000, -1001, 10000,
                                 -TW_POWER_LIMIT_W, -TW_POWER_LIMIT_W - 1};
        for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
            record_word_t record = {(uint32_t)(word * 4), edges[i]};
            emit(RECORD_WORD, &record, sizeof record);
            if (word < 3 || one_in(16)) {
                step.input.mono_ms += 100;
                emit(RECORD_STEP, &step, sizeof step);
            }
        }
        record_word_t back = {(uint32_t)(word * 4), at[0]};
        emit(RECORD_WORD, &back, sizeof back);
    }
}

/* The units at rest in one mode with full limits: where most cycles of a site's life are. */
static void patch_whole(uint32_t mode)
{
    emit_patch(SITE(active), 0);
    emit_patch(SITE(latched), 0);
    emit_patch(SITE(held), 0);
    emit_patch(SITE(sharing), below(256));
    for (int32_t i = 0; i < config.unit_count; i++) {
        emit_patch(UNIT(i, active), 0);
        emit_patch(UNIT(i, latched), 0);
        emit_patch(UNIT(i, seen), 3);
        emit_patch(UNIT(i, mode), mode);
        emit_patch(UNIT(i, mode_ms), 0);
        emit_patch(UNIT(i, cooldown_ms), 0);
        emit_patch(UNIT(i, charge_limit_mw), TW_POWER_LIMIT_W * INT64_C(1000));
        emit_patch(UNIT(i, discharge_limit_mw), TW_POWER_LIMIT_W * INT64_C(1000));
    }
}

#endif
