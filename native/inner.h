/* What the kernel's own files share: the sets of causes, the view of a unit, saturating arithmetic. Not part of the ABI.
 * Nothing here is reachable from outside; names begin with tw_ all the same, because C has one name space. */
#ifndef TW_INNER_H
#define TW_INNER_H

#include <stdbool.h>

#include "kernel.h"

/* A second low-temperature threshold (discharge) needs its own hysteresis bit in tw_unit_state_t.active. */
#define TW_ACTIVE_COLD 0x80000000U

/* The device has answered at least once: from then on its silence counts, whatever the image says of its age. */
#define TW_ACTIVE_BMS_SEEN 0x40000000U
#define TW_ACTIVE_PCS_SEEN 0x20000000U

/* Causes that stop a unit for good: cause gone, hold time, and a reset by a person. */
#define TW_UNIT_LATCHING                                                                                       \
    ((uint32_t)(TW_UNIT_BMS_LOST | TW_UNIT_BMS_GONE | TW_UNIT_PCS_LOST | TW_UNIT_PCS_FAULT |                   \
                TW_UNIT_WRITE_FAILED | TW_UNIT_BMS_TRIP | TW_UNIT_CELL_VOLTAGE_TRIP | TW_UNIT_CELL_TEMP_TRIP))

/* Latched causes after which the contactor has no business being closed. */
#define TW_UNIT_OPENING \
    ((uint32_t)(TW_UNIT_BMS_GONE | TW_UNIT_BMS_TRIP | TW_UNIT_CELL_VOLTAGE_TRIP | TW_UNIT_CELL_TEMP_TRIP))

/* Causes that only say "not started yet": a START order is the way out. */
#define TW_UNIT_STARTABLE ((uint32_t)(TW_UNIT_PCS_STOPPED | TW_UNIT_BMS_OPEN))

/* Causes that forbid both directions. */
#define TW_UNIT_BLOCKING                                                                                       \
    (TW_UNIT_LATCHING | TW_UNIT_STARTABLE |                                                                    \
     (uint32_t)(TW_UNIT_BMS_STALE | TW_UNIT_PCS_STALE | TW_UNIT_PCS_LOCAL | TW_UNIT_UNGUARDED |                \
                TW_UNIT_BMS_ALARM | TW_UNIT_CELL_TEMP_HIGH | TW_UNIT_VALUE_MISSING | TW_UNIT_LATCHED))

#define TW_UNIT_NO_CHARGE \
    ((uint32_t)(TW_UNIT_CHARGE_FORBIDDEN | TW_UNIT_SOC_HIGH | TW_UNIT_CELL_VOLTAGE_HIGH | TW_UNIT_CELL_TEMP_LOW))
#define TW_UNIT_NO_DISCHARGE \
    ((uint32_t)(TW_UNIT_DISCHARGE_FORBIDDEN | TW_UNIT_SOC_LOW | TW_UNIT_CELL_VOLTAGE_LOW))

/* Causes with hysteresis, kept in tw_unit_state_t.active. */
#define TW_UNIT_HELD                                                                                           \
    ((uint32_t)(TW_UNIT_SOC_LOW | TW_UNIT_SOC_HIGH | TW_UNIT_CELL_VOLTAGE_LOW | TW_UNIT_CELL_VOLTAGE_HIGH |    \
                TW_UNIT_CELL_TEMP_LOW | TW_UNIT_CELL_TEMP_HIGH))

/* Communication losses do not latch while a technician has the devices. */
#define TW_UNIT_SILENCE ((uint32_t)(TW_UNIT_BMS_LOST | TW_UNIT_BMS_GONE | TW_UNIT_PCS_LOST))

static inline int32_t tw_clamp(int64_t value, int64_t low, int64_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

static inline int32_t tw_power(int64_t value)
{
    return tw_clamp(value, -TW_POWER_LIMIT_W, TW_POWER_LIMIT_W);
}

/* A duration that grows by dt and saturates; never negative. */
static inline int32_t tw_longer(int32_t value_ms, int32_t dt_ms)
{
    return tw_clamp((int64_t)value_ms + dt_ms, 0, TW_AGE_NEVER);
}

/* An age from outside: a negative one is no age. */
static inline bool tw_older(int32_t age_ms, int32_t limit_ms)
{
    return age_ms < 0 || age_ms > limit_ms;
}

bool tw_config_ok(const tw_config_t *config);

/* interlock.c: what is wrong with one unit now; hysteresis lives in state->active. */
uint32_t tw_unit_causes(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input);

/* limit.c: the band of one unit in this cycle; adds CURRENT_LIMIT and SLEW to why. */
void tw_unit_limits(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input,
                    int32_t dt_ms, tw_unit_output_t *output);

/* mode.c */
uint32_t tw_site_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms);
void tw_latch(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output,
              uint32_t site_causes, int32_t dt_ms);
void tw_choose_mode(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_output_t *output,
                    int32_t dt_ms);
void tw_give_orders(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input, tw_output_t *output);

/* band.c: the battery power of the site in RUN, and why it is not something else. */
int32_t tw_battery_power(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms,
                         tw_output_t *output);

/* allocate.c */
void tw_allocate(const tw_config_t *config, int32_t battery_w, tw_output_t *output);

#endif
