/* Which event moves a unit in this cycle: the first that is true, from the most pressing. A sequence is DONE when the devices say
 * so, not when they were told. */
#include "inner.h"

#define PACK_STILL_DA 20     /* 2 A: below, a current sensor's offset */
#define PRECHARGE_APART_DV 200 /* 20 V: what a precharged link may lack when a twentieth of the pack is less */

#define BIT(mode) (1U << TW_MODE_##mode)
#define WORKING (BIT(RUN) | BIT(ISLAND))
#define STARTING (BIT(CONNECT) | BIT(START))

static bool in(uint32_t mode, uint32_t modes)
{
    return mode < TW_MODES && ((modes >> mode) & 1U) != 0U;
}

static bool halts(const tw_unit_state_t *unit, const tw_cycle_t *cycle)
{
    if (unit->active == 0U) {
        return cycle->halted;
    }
    uint64_t lost = in(unit->mode, WORKING) ? TW_UNIT_STARTABLE : 0U;
    lost |= unit->mode == TW_MODE_START ? TW_UNIT_BIT(BMS_OPEN) : 0U;
    return cycle->halted || (unit->active & (TW_UNIT_AT(TW_LEVELS_STOP) | lost)) != 0U;
}

static bool wants_run(const tw_state_t *state, const tw_input_t *input)
{
    return tw_asked(input, TW_COMMAND_RUN) && !(state->active & (TW_SITE_BIT(HOLD) | TW_SITE_BIT(CHANGED)));
}

static bool may_start(const tw_unit_state_t *unit, const tw_cycle_t *cycle)
{
    const uint64_t forbidding = TW_UNIT_AT(TW_LEVELS_ZERO) & ~TW_UNIT_STARTABLE;
    return unit->cooldown_ms == 0 && !cycle->forbidden && !(unit->active & forbidding);
}

/* The DC link has the voltage of the pack, as far as the PCS measures it: the contactor will not weld. */
static bool precharged(const tw_unit_input_t *input, const tw_facts_t *facts)
{
    if (input->pcs_dc_voltage_dv == TW_UNKNOWN) {
        return true;
    }
    int64_t apart_dv = tw_size((int64_t)input->pcs_dc_voltage_dv - input->pack_voltage_dv);
    return facts->pcs_fresh && apart_dv <= tw_most(input->pack_voltage_dv / 20, PRECHARGE_APART_DV);
}

static bool done(const tw_config_t *config, const tw_state_t *state, const tw_unit_state_t *unit,
                 const tw_unit_input_t *input, const tw_facts_t *facts, const tw_cycle_t *cycle)
{
    const uint64_t unready = TW_UNIT_BIT(UNGUARDED) | TW_UNIT_BIT(VALUE_MISSING);
    switch (unit->mode) {
    case TW_MODE_BOOT:
        return unit->fresh_ms >= config->boot_settle_ms && facts->bms_fresh && facts->pcs_fresh && cycle->poc_fresh;
    case TW_MODE_INIT:
        return !(unit->active & unready) && unit->seen == 3U;
    case TW_MODE_CONNECT:
        return !(unit->active & TW_UNIT_BIT(BMS_OPEN)) && facts->bms_fresh && precharged(input, facts);
    case TW_MODE_START:
        return !(unit->active & TW_UNIT_BIT(PCS_STOPPED)) && facts->pcs_fresh;
    case TW_MODE_STOPPING:
        return facts->pcs_fresh && !(input->pcs_flags & TW_PCS_RUNNING) && facts->plausible
            && tw_size(input->pack_current_da) <= PACK_STILL_DA;
    case TW_MODE_ISLAND:
        return !(state->active & (TW_SITE_BIT(GRID_LOST) | TW_SITE_BIT(GRID_WAIT)));
    case TW_MODE_FAULT: /* nothing is latched any more, or the event were TRIP; the others likewise */
    case TW_MODE_ESTOP:
    case TW_MODE_LOCAL:
    case TW_MODE_SERVICE:
        return true;
    default:
        return false;
    }
}

static bool timed_out(const tw_config_t *config, const tw_unit_state_t *unit)
{
    switch (unit->mode) {
    case TW_MODE_CONNECT:
        return unit->mode_ms >= config->connect_max_ms;
    case TW_MODE_START:
        return unit->mode_ms >= config->start_max_ms;
    default: /* a stop waits until it is done, or STOP_FAILED */
        return false;
    }
}

/* What takes a unit out of any mode; NONE if nothing does. */
static uint32_t pressing_event(const tw_state_t *state, const tw_unit_state_t *unit, const tw_input_t *input)
{
    if (state->latched & (TW_SITE_BIT(ESTOP) | TW_SITE_BIT(SMOKE))) {
        return TW_EVENT_ESTOP;
    }
    if (tw_asked(input, TW_COMMAND_SERVICE)) {
        return TW_EVENT_SERVICE;
    }
    if ((state->active & TW_SITE_BIT(LOCAL)) || (unit->active & TW_UNIT_BIT(PCS_LOCAL))) {
        return TW_EVENT_LOCAL;
    }
    return state->latched != 0U || unit->latched != 0U ? TW_EVENT_TRIP : TW_EVENT_NONE;
}

/* What ends work or a start; NONE if nothing does. */
static uint32_t ending_event(const tw_config_t *config, const tw_state_t *state, const tw_unit_state_t *unit,
                             const tw_input_t *input, const tw_cycle_t *cycle)
{
    if (!in(unit->mode, WORKING | STARTING)) {
        return TW_EVENT_NONE;
    }
    if (halts(unit, cycle)) {
        return TW_EVENT_HALT;
    }
    if (!wants_run(state, input)) {
        return TW_EVENT_STOP;
    }
    if (!(state->active & TW_SITE_BIT(GRID_LOST)) || unit->mode == TW_MODE_ISLAND) {
        return TW_EVENT_NONE;
    }
    return unit->mode == TW_MODE_RUN && config->safe_grid == TW_SAFE_ISLAND ? TW_EVENT_ISLAND : TW_EVENT_GRID_LOST;
}

uint32_t tw_choose_event(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input,
                         const tw_facts_t *facts, const tw_cycle_t *cycle, int32_t index)
{
    const tw_unit_state_t *unit = &state->unit[index];
    uint32_t event = pressing_event(state, unit, input);
    if (event == TW_EVENT_NONE) {
        event = ending_event(config, state, unit, input, cycle);
    }
    if (event != TW_EVENT_NONE) {
        return event;
    }
    if (unit->mode == TW_MODE_RUN) { /* it is there; nothing is waited for */
        return TW_EVENT_NONE;
    }
    if (done(config, state, unit, &input->unit[index], facts, cycle)) {
        return TW_EVENT_DONE;
    }
    if (timed_out(config, unit)) {
        return TW_EVENT_TIMEOUT;
    }
    bool goes = unit->mode == TW_MODE_STANDBY && wants_run(state, input) && may_start(unit, cycle);
    return goes ? TW_EVENT_GO : TW_EVENT_NONE;
}
