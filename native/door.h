/* The narrow door between the two halves: what the guard shows, and the one question it asks. The answer may hold any bits
 * at all; the guard does not believe it. Nothing else of one half is known to the other. */
#ifndef TW_DOOR_H
#define TW_DOOR_H

#include <stdbool.h>

#include "kernel.h"

typedef struct { /* every power within 9 * TW_POWER_LIMIT_W: the wish half counts on the ranges that stand here */
    int64_t net_load_w;          /* POC meter and PCS as they are now, each with its own age; 0 while not measured */
    int32_t dt_ms;               /* 0..2000; 0 in a cycle whose clock is not to be believed */
    int32_t before_w;            /* sum of the last cycle's setpoints */
    int32_t power_w;             /* measured power of the units whose PCS is fresh */
    int32_t pcs_age_ms;          /* the oldest of them; >= 0 */
    int32_t band_min_w, band_max_w; /* what the units may do now; <= 0, >= 0 */
    int32_t soc_cpct;            /* 0..10000: mean of the running units; the target's own value when none runs */
    bool usable;                 /* the battery may be used in this cycle */
    bool measured;               /* POC meter and every running PCS fresh, and the meter not fading */
    bool full;                   /* usable, and every running unit may charge no more */
    bool island;                 /* some unit forms the grid */
} tw_view_t;

/* wish.c: fills the whole of `wish`, whatever the state holds. Called in every cycle, usable or not. */
void tw_wish(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input, const tw_view_t *view,
             tw_wish_t *wish);

/* wish_config.c: the clever half's part of the configuration: every number inside the range that its arithmetic needs. */
bool tw_wish_config_ok(const tw_config_t *config);

#endif
