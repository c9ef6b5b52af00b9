/* Every cause once: level, latch, hourly history, who resets, on- and off-delay in ms. Rows, masks and the handbook's tests come
 * from here; what trips and clears a cause is in interlock.c, cell.c and site.c. In the order of the enums. Each list takes
 * the macro to apply and one argument that it hands through. */
#ifndef TW_CAUSES_H
#define TW_CAUSES_H

#include "kernel.h"

#define TW_UNIT_CAUSE_LIST(X, a)                                        \
    X(a, BMS_STALE, ZERO, NO, 0, AUTO, 0, 10000)                        \
    X(a, BMS_LOST, STOP, YES, 0, CONSOLE, 0, 0)                         \
    X(a, BMS_GONE, OPEN, YES, 0, CONSOLE, 0, 0)                         \
    X(a, BMS_FROZEN, ZERO, NO, 0, AUTO, 0, 10000)                       \
    X(a, PCS_STALE, ZERO, NO, 0, AUTO, 0, 2000)                         \
    X(a, PCS_LOST, STOP, HOURLY, 0, CONSOLE, 0, 10000)                  \
    X(a, PCS_GONE, OPEN, YES, 0, CONSOLE, 0, 0)                         \
    X(a, PCS_FAULT, STOP, YES, 0, CONSOLE, 0, 0)                        \
    X(a, PCS_LOCAL, ZERO, NO, 0, AUTO, 0, 0)                            \
    X(a, PCS_STOPPED, ZERO, NO, 0, AUTO, 0, 0)                          \
    X(a, BMS_OPEN, ZERO, NO, 0, AUTO, 0, 0)                             \
    X(a, UNGUARDED, ZERO, NO, 0, AUTO, 0, 0)                            \
    X(a, WRITE_FAILED, STOP, HOURLY, 1, CONSOLE, 0, 1000)               \
    X(a, BMS_ALARM, STOP, NO, 0, AUTO, 0, 10000)                        \
    X(a, BMS_TRIP, OPEN, YES, 0, CONSOLE, 0, 0)                         \
    X(a, CHARGE_FORBIDDEN, NO_CHARGE, NO, 0, AUTO, 0, 0)                \
    X(a, DISCHARGE_FORBIDDEN, NO_DISCHARGE, NO, 0, AUTO, 0, 0)          \
    X(a, VALUE_MISSING, ZERO, NO, 0, AUTO, 0, 2000)                     \
    X(a, SOC_LOW, NO_DISCHARGE, NO, 0, AUTO, 0, 0)                      \
    X(a, SOC_HIGH, NO_CHARGE, NO, 0, AUTO, 0, 0)                        \
    X(a, RESERVE, NO_DISCHARGE, NO, 0, AUTO, 0, 0)                      \
    X(a, CELL_VOLTAGE_LOW, NO_DISCHARGE, NO, 0, AUTO, 10000, 60000)     \
    X(a, CELL_VOLTAGE_HIGH, NO_CHARGE, NO, 0, AUTO, 10000, 60000)       \
    X(a, CELL_VOLTAGE_TRIP, OPEN, YES, 0, CONSOLE, 2000, 0)             \
    X(a, CELL_DEAD, OPEN, YES, 0, SERVICE, 2000, 0)                     \
    X(a, PACK_VOLTAGE_LOW, NO_DISCHARGE, NO, 0, AUTO, 2000, 60000)      \
    X(a, PACK_VOLTAGE_HIGH, NO_CHARGE, NO, 0, AUTO, 2000, 60000)        \
    X(a, PACK_VOLTAGE_TRIP, OPEN, YES, 0, CONSOLE, 2000, 0)             \
    X(a, TEMP_LOW_CHARGE, NO_CHARGE, NO, 0, AUTO, 0, 0)                 \
    X(a, TEMP_LOW, ZERO, NO, 0, AUTO, 0, 0)                             \
    X(a, TEMP_HIGH_CHARGE, NO_CHARGE, NO, 0, AUTO, 0, 0)                \
    X(a, TEMP_HIGH, ZERO, NO, 0, AUTO, 0, 0)                            \
    X(a, TEMP_TRIP, OPEN, YES, 0, CONSOLE, 2000, 0)                     \
    X(a, TEMP_RISE, STOP, YES, 0, CONSOLE, 0, 0)                        \
    X(a, CELL_SPREAD_WARN, WARN, NO, 0, AUTO, 10000, 10000)             \
    X(a, CELL_SPREAD, DERATE, NO, 0, AUTO, 10000, 10000)                \
    X(a, CELL_SPREAD_TRIP, STOP, YES, 0, CONSOLE, 10000, 0)             \
    X(a, TEMP_SPREAD_WARN, WARN, NO, 0, AUTO, 10000, 10000)             \
    X(a, TEMP_SPREAD, DERATE, NO, 0, AUTO, 10000, 10000)                \
    X(a, TEMP_SPREAD_TRIP, STOP, YES, 0, CONSOLE, 10000, 0)             \
    X(a, OVERCURRENT, STOP, HOURLY, 2, CONSOLE, 5000, 60000)            \
    X(a, OVERCURRENT_FAST, STOP, HOURLY, 2, CONSOLE, 1000, 60000)       \
    X(a, INSULATION_WARN, WARN, NO, 0, AUTO, 10000, 10000)              \
    X(a, INSULATION, OPEN, YES, 0, CONSOLE, 5000, 0)                    \
    X(a, CONNECT_FAILED, OPEN, YES, 0, CONSOLE, 0, 0)                   \
    X(a, START_FAILED, STOP, YES, 0, CONSOLE, 0, 0)                     \
    X(a, STOP_FAILED, OPEN, YES, 0, CONSOLE, 5000, 0)                   \
    X(a, DEVIATION, STOP, YES, 0, CONSOLE, 5000, 0)                     \
    X(a, WRONG_SIGN, STOP, YES, 0, CONSOLE, 2000, 0)                    \
    X(a, DISAGREE, DERATE, NO, 0, AUTO, 10000, 10000)                   \
    X(a, LATCHED, ZERO, NO, 0, AUTO, 0, 0)                              \
    X(a, COOLDOWN, INFO, NO, 0, AUTO, 0, 0)

#define TW_SITE_CAUSE_LIST(X, a)                                        \
    X(a, BOOT, INFO, NO, 0, AUTO, 0, 0)                                 \
    X(a, NOT_ASKED, INFO, NO, 0, AUTO, 0, 0)                            \
    X(a, HOLD, INFO, NO, 0, AUTO, 0, 0)                                 \
    X(a, SERVICE, INFO, NO, 0, AUTO, 0, 0)                              \
    X(a, ESTOP, OPEN, YES, 0, CONSOLE, 0, 0)                            \
    X(a, SMOKE, OPEN, YES, 0, CONSOLE, 0, 0)                            \
    X(a, SMOKE_WARN, WARN, NO, 0, AUTO, 0, 0)                           \
    X(a, WATER, STOP, YES, 0, CONSOLE, 1000, 0)                         \
    X(a, DOOR, WARN, NO, 0, AUTO, 1000, 1000)                           \
    X(a, AIRCON, DERATE, NO, 0, AUTO, 60000, 60000)                     \
    X(a, SURGE, WARN, NO, 0, AUTO, 1000, 1000)                          \
    X(a, IO_STALE, ZERO, NO, 0, AUTO, 0, 1000)                          \
    X(a, POC_STALE, ZERO, NO, 0, AUTO, 0, 2000)                         \
    X(a, POC_FADE, INFO, NO, 0, AUTO, 0, 0)                             \
    X(a, CLOCK, ZERO, NO, 0, AUTO, 0, 0)                                \
    X(a, OVERRUN, STOP, YES, 0, CONSOLE, 0, 0)                          \
    X(a, CONFIG, ZERO, NO, 0, AUTO, 0, 0)                               \
    X(a, CHANGED, ZERO, NO, 0, AUTO, 0, 0)                              \
    X(a, SELF_TEST, STOP, YES, 0, CONSOLE, 0, 0)                        \
    X(a, GRID_LOST, ZERO, NO, 0, AUTO, 0, 0)                            \
    X(a, GRID_WAIT, ZERO, NO, 0, AUTO, 0, 0)                            \
    X(a, LOCAL, ZERO, NO, 0, AUTO, 0, 0)                                \
    X(a, LATCHED, ZERO, NO, 0, AUTO, 0, 0)                              \
    X(a, NO_UNIT, INFO, NO, 0, AUTO, 0, 0)                              \
    X(a, IMPORT_LIMIT, INFO, NO, 0, AUTO, 0, 0)                         \
    X(a, FUSE_LIMIT, INFO, NO, 0, AUTO, 0, 0)                           \
    X(a, EXPORT_LIMIT, INFO, NO, 0, AUTO, 0, 0)                         \
    X(a, RAMP, INFO, NO, 0, AUTO, 0, 0)                                 \
    X(a, CHARGE_BOUND, INFO, NO, 0, AUTO, 0, 0)                         \
    X(a, DISCHARGE_BOUND, INFO, NO, 0, AUTO, 0, 0)                      \
    X(a, WISH_EXPIRED, INFO, NO, 0, AUTO, 0, 0)                         \
    X(a, PV_CURTAILED, INFO, NO, 0, AUTO, 0, 0)

#define TW_UNIT_BIT(name) (UINT64_C(1) << TW_UNIT_C_##name)
#define TW_SITE_BIT(name) (1U << TW_SITE_C_##name)

/* ---- sets by what the rows say; all constant expressions ---------------------------------------------------- */

#define TW_LEVEL_BIT(level) (1U << TW_LEVEL_##level)
#define TW_LEVELS_STOP (TW_LEVEL_BIT(STOP) | TW_LEVEL_BIT(OPEN))
#define TW_LEVELS_ZERO (TW_LEVEL_BIT(ZERO) | TW_LEVELS_STOP)

#define TW_UNIT_LEVEL_TERM(levels, name, level, latch, hourly, reset, on, off) \
    | ((((levels) >> TW_LEVEL_##level) & 1U) != 0U ? TW_UNIT_BIT(name) : UINT64_C(0))
#define TW_SITE_LEVEL_TERM(levels, name, level, latch, hourly, reset, on, off) \
    | ((((levels) >> TW_LEVEL_##level) & 1U) != 0U ? TW_SITE_BIT(name) : 0U)
#define TW_UNIT_AT(levels) (UINT64_C(0) TW_UNIT_CAUSE_LIST(TW_UNIT_LEVEL_TERM, levels))
#define TW_SITE_AT(levels) (0U TW_SITE_CAUSE_LIST(TW_SITE_LEVEL_TERM, levels))

#define TW_UNIT_LATCH_TERM(wanted, name, level, latch, hourly, reset, on, off) \
    | (TW_LATCH_##latch == (wanted) ? TW_UNIT_BIT(name) : UINT64_C(0))
#define TW_SITE_LATCH_TERM(wanted, name, level, latch, hourly, reset, on, off) \
    | (TW_LATCH_##latch == (wanted) ? TW_SITE_BIT(name) : 0U)
#define TW_UNIT_LATCHING (UINT64_C(0) TW_UNIT_CAUSE_LIST(TW_UNIT_LATCH_TERM, TW_LATCH_YES))
#define TW_UNIT_COUNTED (UINT64_C(0) TW_UNIT_CAUSE_LIST(TW_UNIT_LATCH_TERM, TW_LATCH_HOURLY))
#define TW_SITE_LATCHING (0U TW_SITE_CAUSE_LIST(TW_SITE_LATCH_TERM, TW_LATCH_YES))

#define TW_UNIT_HOUR_TERM(wanted, name, level, latch, hourly, reset, on, off) \
    | (TW_LATCH_##latch == TW_LATCH_HOURLY && (hourly) == (wanted) ? TW_UNIT_BIT(name) : UINT64_C(0))
#define TW_UNIT_OF_HOUR(index) (UINT64_C(0) TW_UNIT_CAUSE_LIST(TW_UNIT_HOUR_TERM, index))

#define TW_UNIT_RESET_TERM(wanted, name, level, latch, hourly, reset, on, off) \
    | (TW_RESET_##reset == (wanted) ? TW_UNIT_BIT(name) : UINT64_C(0))
#define TW_UNIT_SERVICED (UINT64_C(0) TW_UNIT_CAUSE_LIST(TW_UNIT_RESET_TERM, TW_RESET_SERVICE))

/* Causes that something else sets: they are reported, and never active. */
#define TW_UNIT_JUDGED (((UINT64_C(1) << TW_UNIT_CAUSES) - 1U) & ~(TW_UNIT_BIT(LATCHED) | TW_UNIT_BIT(COOLDOWN)))
#define TW_SITE_JUDGED ((TW_SITE_BIT(LATCHED) - 1U) & ~(TW_SITE_BIT(BOOT) | TW_SITE_BIT(CONFIG)))

/* Causes that only say `not started yet`: connecting and starting is the way out. */
#define TW_UNIT_STARTABLE (TW_UNIT_BIT(PCS_STOPPED) | TW_UNIT_BIT(BMS_OPEN))

#endif
