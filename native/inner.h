/* What the guard's own files share: facts of a cycle, saturating arithmetic, who does what. Not part of the ABI. Nothing here
 * is reachable from outside; names begin with tw_ all the same, because C has one name space. */
#ifndef TW_INNER_H
#define TW_INNER_H

#include <stdbool.h>

#include "causes.h"
#include "kernel.h"

#define TW_BATTERY_LIMIT_W (TW_UNITS * TW_POWER_LIMIT_W)

typedef struct { /* sets of causes */
    uint64_t trip, clear;
} tw_judged_t;

typedef struct { /* what this cycle knows of one unit */
    uint64_t rose;
    bool bms_fresh, pcs_fresh, plausible;
} tw_facts_t;

typedef struct { /* what this cycle knows of the site */
    int32_t dt_ms;
    bool clock_bad;
    bool reset;     /* a person has just asked for it */
    bool booting;   /* every unit was in BOOT */
    bool poc_fresh;
    bool io;        /* the remote I/O may be believed */
    bool forbidden, halted, derated; /* a site cause of level ZERO, STOP or OPEN; STOP or OPEN; DERATE is active */
    bool latched;   /* the site is, or every unit */
    bool running;   /* some unit is in RUN */
    bool usable;    /* the battery may be used */
} tw_cycle_t;

static inline int32_t tw_clamp(int64_t value, int64_t low, int64_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

static inline int32_t tw_power(int32_t value_w)
{
    return value_w < -TW_POWER_LIMIT_W ? -TW_POWER_LIMIT_W : value_w > TW_POWER_LIMIT_W ? TW_POWER_LIMIT_W : value_w;
}

static inline int32_t tw_least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t tw_most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int64_t tw_size(int64_t value)
{
    return value < 0 ? -value : value;
}

/* A duration that grows by dt >= 0 and saturates; never negative. */
static inline int32_t tw_longer(int32_t value_ms, int32_t dt_ms)
{
    uint32_t sum_ms = (uint32_t)(value_ms < 0 ? 0 : value_ms) + (uint32_t)dt_ms;
    return sum_ms > TW_AGE_NEVER ? TW_AGE_NEVER : (int32_t)sum_ms;
}

/* An age from outside: a negative one is no age, and older than any limit. */
static inline bool tw_older(int32_t age_ms, int32_t limit_ms)
{
    return age_ms < 0 || age_ms > limit_ms;
}

static inline void tw_trip(tw_judged_t *judged, int32_t cause, bool trip)
{
    if (trip) {
        judged->trip |= UINT64_C(1) << cause;
    }
}

static inline void tw_judge(tw_judged_t *judged, int32_t cause, bool trip, bool clear)
{
    if (trip) {
        judged->trip |= UINT64_C(1) << cause;
    } else if (clear) { /* never both */
        judged->clear |= UINT64_C(1) << cause;
    }
}

/* Causes without hysteresis that have been judged: what does not trip is gone. */
static inline void tw_clear_rest(tw_judged_t *judged, uint64_t causes)
{
    judged->clear |= causes & ~judged->trip;
}

static inline bool tw_asked(const tw_input_t *input, uint32_t command)
{
    return (input->commands & command) != 0U;
}

/* Full, unless a person asks for the very top once. */
static inline int32_t tw_soc_top(const tw_unit_config_t *config, uint32_t commands)
{
    return (commands & TW_COMMAND_CALIBRATE) ? 10000 : config->soc_max_cpct;
}

/* Some timer is not 0. The count is a constant wherever this is called. */
static inline bool tw_timing(const int32_t *timer_ms, int32_t count)
{
    int32_t any = 0;
    for (int32_t i = 0; i < count; i++) {
        any |= timer_ms[i];
    }
    return any != 0;
}

/* ratio.c: whole * part / of, towards zero; 0 when of is not positive. |whole * part| must fit. What calls it stays safe
 * whatever it answers. */
int64_t tw_part(int64_t whole, int64_t part, int64_t of);

/* init.c: in full; and in a step, where nearly always it is the one that was accepted. */
bool tw_config_ok(const tw_config_t *config);
bool tw_config_still_ok(const tw_config_t *config, tw_state_t *state);

/* cause.c: on- and off-delays of the causes in `among`; those in `quick` end without delay. Returns the new active set. */
uint64_t tw_watch(const tw_cause_row_t *rows, uint64_t among, tw_judged_t judged, uint64_t quick, uint64_t active,
                  int32_t *timer_ms, int32_t dt_ms);
const tw_cause_row_t *tw_unit_rows(void);
const tw_cause_row_t *tw_site_rows(void);

/* interlock.c, cell.c: what is wrong with each unit now, and since when. */
void tw_unit_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms,
                    tw_facts_t *facts);
bool tw_plausible(const tw_unit_input_t *input);
tw_judged_t tw_judge_cells(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input,
                           uint32_t commands, int32_t dt_ms);

/* site.c: what is wrong with the site now. */
void tw_site_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                    tw_cycle_t *cycle);

/* latch.c: true if this rise is the third within an hour. */
bool tw_third_within_hour(int32_t recent_ms[2], bool rose, int32_t dt_ms);
void tw_latch(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
              tw_cycle_t *cycle);

/* mode.c, event.c: every unit's mode into state and output with its event and order, and the site's. */
uint32_t tw_choose_event(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input,
                         const tw_facts_t *facts, const tw_cycle_t *cycle, int32_t index);
void tw_move_modes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                   tw_cycle_t *cycle, tw_output_t *output);

/* limit.c: the bounds of each unit in this cycle. */
void tw_unit_limits(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                    const tw_cycle_t *cycle, tw_output_t *output);

/* band.c: bands of the site, then the battery power and why it is not another. */
void tw_site_band(const tw_config_t *config, const tw_input_t *input, const tw_facts_t *facts, tw_output_t *output);
void tw_battery_power(const tw_config_t *config, const tw_state_t *state, const tw_cycle_t *cycle,
                      int32_t asked_w, int32_t before_w, tw_output_t *output);

/* allocate.c: shares output->battery_w among the units. */
void tw_allocate(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output);

/* curtail.c */
void tw_curtail(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_cycle_t *cycle,
                tw_output_t *output);

#endif
