/* The rows of all causes, and the one clock that every cause runs by: a condition must hold for its on-delay before the cause
 * acts, and be gone for its off-delay before it ends. What the condition is stands elsewhere. */
#include "inner.h"

#define UNIT_ROW(unused, name, level, latch, hourly, reset, on, off) \
    [TW_UNIT_C_##name] = {TW_LEVEL_##level, TW_LATCH_##latch, TW_RESET_##reset, hourly, on, off},
#define SITE_ROW(unused, name, level, latch, hourly, reset, on, off) \
    [TW_SITE_C_##name] = {TW_LEVEL_##level, TW_LATCH_##latch, TW_RESET_##reset, hourly, on, off},

static const tw_cause_row_t UNIT_ROWS[] = {TW_UNIT_CAUSE_LIST(UNIT_ROW, 0)};
static const tw_cause_row_t SITE_ROWS[] = {TW_SITE_CAUSE_LIST(SITE_ROW, 0)};
static const tw_cause_row_t NO_ROW = {0, 0, 0, 0, 0, 0};

_Static_assert(sizeof UNIT_ROWS / sizeof UNIT_ROWS[0] == TW_UNIT_CAUSES, "a row for every cause of a unit");
_Static_assert(sizeof SITE_ROWS / sizeof SITE_ROWS[0] == TW_SITE_CAUSES, "a row for every cause of the site");

/* Row by row in the order of the enum: a name missing from the list would leave a gap, counted here. */
#define ONE(unused, name, level, latch, hourly, reset, on, off) + 1
_Static_assert((0 TW_UNIT_CAUSE_LIST(ONE, 0)) == TW_UNIT_CAUSES, "no cause of a unit twice or missing");
_Static_assert((0 TW_SITE_CAUSE_LIST(ONE, 0)) == TW_SITE_CAUSES, "no cause of the site twice or missing");

const tw_cause_row_t *tw_unit_rows(void)
{
    return UNIT_ROWS;
}

const tw_cause_row_t *tw_site_rows(void)
{
    return SITE_ROWS;
}

tw_cause_row_t tw_unit_row(int32_t cause)
{
    return cause >= 0 && cause < TW_UNIT_CAUSES ? UNIT_ROWS[cause] : NO_ROW;
}

tw_cause_row_t tw_site_row(int32_t cause)
{
    return cause >= 0 && cause < TW_SITE_CAUSES ? SITE_ROWS[cause] : NO_ROW;
}

uint64_t tw_watch(const tw_cause_row_t *rows, uint64_t among, tw_judged_t judged, uint64_t quick, uint64_t active,
                  int32_t *timer_ms, int32_t dt_ms)
{
    for (int32_t i = 0; i < TW_UNIT_CAUSES && (among >> i) != 0U; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (!(among & bit)) {
            continue;
        }
        bool acts = (active & bit) != 0U;
        if (!((acts ? judged.clear : judged.trip) & bit)) {
            timer_ms[i] = 0;
            continue;
        }
        int32_t off_ms = (quick & bit) ? 0 : rows[i].off_ms;
        timer_ms[i] = tw_longer(timer_ms[i], dt_ms);
        if (timer_ms[i] >= (acts ? off_ms : rows[i].on_ms)) {
            active ^= bit;
            timer_ms[i] = 0;
        }
    }
    return active;
}
