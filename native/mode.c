/* The modes of a unit as a table, and what a change of mode does. The rules:
 *
 *   - One event a cycle moves a unit; event.c says which. What is not in the table stays; a mode that is none begins again in BOOT.
 *   - Three things lead out of everything: the emergency stop, a person (SERVICE, LOCAL), a latch (FAULT).
 *   - Power flows in RUN only. Into RUN leads one way: BOOT, INIT, STANDBY, CONNECT, START, RUN; every step asks the devices.
 *   - Out of RUN leads STOPPING, and an island is left like RUN: break before make, then a start of its own.
 *   - A reset leads to STANDBY, never straight to RUN.
 */
#include "inner.h"

enum { /* short, so that the table can be read beside the handbook's */
    BOOT = TW_MODE_BOOT, INIT = TW_MODE_INIT, STBY = TW_MODE_STANDBY, CONN = TW_MODE_CONNECT, STRT = TW_MODE_START,
    RUN = TW_MODE_RUN, STOP = TW_MODE_STOPPING, FLT = TW_MODE_FAULT, ESTP = TW_MODE_ESTOP, LOC = TW_MODE_LOCAL,
    SERV = TW_MODE_SERVICE, ISL = TW_MODE_ISLAND, SAME = TW_MODES
};

static const uint8_t NEXT[TW_MODES][TW_EVENTS] = {
    /*                       ESTOP SERV  LOCAL TRIP  HALT  STOP  ISL   LOST  DONE  TIME  GO    NONE */
    [TW_MODE_BOOT] =       { ESTP, SERV, LOC,  FLT,  SAME, SAME, SAME, SAME, INIT, SAME, SAME, SAME },
    [TW_MODE_INIT] =       { ESTP, SERV, LOC,  FLT,  SAME, SAME, SAME, SAME, STBY, SAME, SAME, SAME },
    [TW_MODE_STANDBY] =    { ESTP, SERV, LOC,  FLT,  SAME, SAME, SAME, SAME, SAME, SAME, CONN, SAME },
    [TW_MODE_CONNECT] =    { ESTP, SERV, LOC,  FLT,  STOP, STOP, STOP, STOP, STRT, STOP, SAME, SAME },
    [TW_MODE_START] =      { ESTP, SERV, LOC,  FLT,  STOP, STOP, STOP, STOP, RUN,  STOP, SAME, SAME },
    [TW_MODE_RUN] =        { ESTP, SERV, LOC,  FLT,  STOP, STOP, ISL,  STOP, SAME, SAME, SAME, SAME },
    [TW_MODE_STOPPING] =   { ESTP, SERV, LOC,  FLT,  SAME, SAME, SAME, SAME, STBY, FLT,  SAME, SAME },
    [TW_MODE_FAULT] =      { ESTP, SERV, LOC,  SAME, SAME, SAME, SAME, SAME, STBY, SAME, SAME, SAME },
    [TW_MODE_ESTOP] =      { SAME, SERV, LOC,  FLT,  SAME, SAME, SAME, SAME, STBY, SAME, SAME, SAME },
    [TW_MODE_LOCAL] =      { ESTP, SERV, SAME, FLT,  SAME, SAME, SAME, SAME, STBY, SAME, SAME, SAME },
    [TW_MODE_SERVICE] =    { ESTP, SAME, LOC,  FLT,  SAME, SAME, SAME, SAME, STBY, SAME, SAME, SAME },
    [TW_MODE_ISLAND] =     { ESTP, SERV, LOC,  FLT,  STOP, STOP, SAME, SAME, STOP, SAME, SAME, SAME },
};

/* The site is in the first of these in which some unit is: what a person must know first. */
static const uint8_t FIRST[TW_MODES] = { ESTP, SERV, ISL, RUN, STRT, CONN, STOP, LOC, STBY, INIT, BOOT, FLT };

uint32_t tw_next_mode(uint32_t mode, uint32_t event)
{
    if (mode >= TW_MODES) {
        return TW_MODE_BOOT;
    }
    uint32_t next = event < TW_EVENTS ? NEXT[mode][event] : (uint32_t)SAME;
    return next == SAME ? mode : next;
}

/* What a change remembers: a start that timed out, a pause before the next, a start that succeeded. */
static void note_change(const tw_config_t *config, tw_unit_state_t *unit, uint32_t event, uint32_t next)
{
    bool starting = unit->mode == TW_MODE_CONNECT || unit->mode == TW_MODE_START;
    bool working = unit->mode == TW_MODE_RUN || unit->mode == TW_MODE_ISLAND;
    if (next == TW_MODE_STOPPING && starting && event == TW_EVENT_TIMEOUT) {
        unit->tries = tw_clamp((int64_t)unit->tries + 1, 0, 100);
        unit->cooldown_ms = config->cooldown_ms;
    }
    if (next == TW_MODE_STOPPING && working && event == TW_EVENT_HALT) {
        unit->cooldown_ms = config->cooldown_ms;
    }
    if (next == TW_MODE_RUN) {
        unit->tries = 0;
    }
}

static void age_unit(tw_unit_state_t *unit, const tw_facts_t *facts, const tw_cycle_t *cycle)
{
    bool fresh = facts->bms_fresh && facts->pcs_fresh && cycle->poc_fresh;
    unit->fresh_ms = fresh ? tw_longer(unit->fresh_ms, cycle->dt_ms) : 0;
    unit->cooldown_ms = unit->cooldown_ms > cycle->dt_ms ? unit->cooldown_ms - cycle->dt_ms : 0;
}

static uint32_t site_mode(uint32_t present)
{
    for (int32_t i = 0; i < TW_MODES; i++) {
        if ((present >> FIRST[i]) & 1U) {
            return FIRST[i];
        }
    }
    return TW_MODE_BOOT;
}

static uint32_t fault_order(const tw_state_t *state, const tw_unit_state_t *unit)
{
    bool open = (unit->latched & TW_UNIT_AT(TW_LEVEL_BIT(OPEN))) != 0U
        || (state->latched & TW_SITE_AT(TW_LEVEL_BIT(OPEN))) != 0U;
    return open ? TW_ORDER_OPEN : TW_ORDER_STOP;
}

static uint32_t order_for(const tw_state_t *state, const tw_unit_state_t *unit, const tw_input_t *input)
{
    bool wanted = tw_asked(input, TW_COMMAND_RUN) && !(state->active & TW_SITE_BIT(HOLD));
    switch (unit->mode) {
    case TW_MODE_CONNECT:
        return TW_ORDER_CONNECT;
    case TW_MODE_START:
        return TW_ORDER_START;
    case TW_MODE_STOPPING:
        return TW_ORDER_STOP;
    case TW_MODE_ISLAND:
        return TW_ORDER_ISLAND;
    case TW_MODE_ESTOP:
        return TW_ORDER_OPEN; /* an emergency stop asks nobody */
    case TW_MODE_FAULT:
        return fault_order(state, unit);
    case TW_MODE_STANDBY:
        return wanted ? TW_ORDER_NONE : TW_ORDER_STOP;
    default: /* nothing to tell: it runs, or somebody else has it */
        return TW_ORDER_NONE;
    }
}

void tw_move_modes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                   tw_cycle_t *cycle, tw_output_t *output)
{
    uint32_t present = 0;
    for (int32_t i = 0; i < config->unit_count; i++) {
        tw_unit_state_t *unit = &state->unit[i];
        age_unit(unit, &facts[i], cycle);
        uint32_t event = tw_choose_event(config, state, input, &facts[i], cycle, i);
        uint32_t next = tw_next_mode(unit->mode, event);
        if (next != unit->mode) {
            note_change(config, unit, event, next);
        }
        unit->mode_ms = next == unit->mode ? tw_longer(unit->mode_ms, cycle->dt_ms) : 0;
        unit->mode = next;
        output->unit[i].event = event;
        output->unit[i].mode = next;
        output->unit[i].order = order_for(state, unit, input);
        present |= 1U << next;
    }
    state->mode = site_mode(present);
    output->mode = state->mode;
    cycle->running = ((present >> TW_MODE_RUN) & 1U) != 0U;
}
