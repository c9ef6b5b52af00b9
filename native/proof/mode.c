/* Events and modes: a latch, a halt and who asks for a stop end power in the same cycle; into RUN leads one way; nobody is told to
 * connect or start who is not on that way. For any state, also one whose mode does not exist. */
#include "promises.h"

uint32_t any_event(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                   const tw_cycle_t *cycle, int32_t index);
uint32_t any_next(uint32_t mode, uint32_t event);
uint32_t any_site_mode(uint32_t present);

#undef BIT
#include "../event.c"
#undef BIT
#include "../mode.c"

void prove_event(void)
{
    tw_config_t config;
    config.boot_settle_ms = nondet_int32();
    config.connect_max_ms = nondet_int32();
    config.start_max_ms = nondet_int32();
    config.safe_grid = nondet_int32();
    tw_state_t state;
    state.active = nondet_uint32();
    state.latched = nondet_uint32();
    tw_input_t input;
    input.commands = nondet_uint32();
    const int32_t index = UNIT_COUNT - 1;
    state.unit[index] = nondet_unit_state();
    input.unit[index] = nondet_unit_input();
    tw_facts_t facts = nondet_facts();
    GIVEN(plausible_is_in_range(&input.unit[index], &facts));
    tw_cycle_t cycle = nondet_cycle();
    const tw_unit_state_t *unit = &state.unit[index];

    uint32_t event = tw_choose_event(&config, &state, &input, &facts, &cycle, index);

    SHOW(mode, unit->mode);
    SHOW(event, event);
    SHOW(latched, unit->latched);
    SHOW(site_latched, state.latched);
    HOLDS(event_fits(&state, unit, &input, &cycle, event),
          "(e) (f) a latch, a halt and a stop are followed at once; GO only when calm and asked for");
    bool emergency = (state.latched & (SITE(ESTOP) | SITE(SMOKE))) != 0U;
    HOLDS((event == TW_EVENT_ESTOP) == emergency, "an emergency stop comes first, whatever else is");
    HOLDS(event != TW_EVENT_DONE || unit->mode != TW_MODE_START || (facts.pcs_fresh && !(unit->active & TW_UNIT_BIT(PCS_STOPPED))),
          "(e) into RUN only when a fresh PCS says that it runs");
    END;
}

/* Any event at all; and what `mode table` proves of the table, and no more. */
uint32_t any_event(const tw_config_t *config, const tw_state_t *state, const tw_input_t *input, const tw_facts_t *facts,
                   const tw_cycle_t *cycle, int32_t index)
{
    (void)config;
    (void)state;
    (void)input;
    (void)facts;
    (void)cycle;
    (void)index;
    return nondet_uint32();
}

uint32_t any_next(uint32_t mode, uint32_t event)
{
    uint32_t next = nondet_uint32();
    GIVEN(mode_follows(mode, event, next));
    return next;
}

uint32_t any_site_mode(uint32_t present)
{
    (void)present;
    uint32_t mode = nondet_uint32();
    GIVEN(mode < TW_MODES);
    return mode;
}

void prove_table(void)
{
    uint32_t mode = nondet_uint32();
    uint32_t event = nondet_uint32();
    uint32_t next = tw_next_mode(mode, event);
    SHOW(mode, mode);
    SHOW(event, event);
    SHOW(next, next);
    HOLDS(mode_follows(mode, event, next), "(e) into RUN leads START only, into ISLAND RUN only; a latch and a halt end power");
    END;
}

void prove_site_mode(void)
{
    uint32_t present = nondet_uint32();
    uint32_t mode = site_mode(present);
    HOLDS(mode < TW_MODES && (!(present & (1U << TW_MODE_ESTOP)) || mode == TW_MODE_ESTOP), "the site's mode is one; ESTOP comes first");
    HOLDS(((present >> mode) & 1U) != 0U || (present & ((1U << TW_MODES) - 1U)) == 0U, "some unit is in it");
    END;
}

void prove_modes(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    config.cooldown_ms = any_between(1, 3600000);
    tw_state_t state;
    const tw_state_t before = state;
    tw_input_t input;
    input.commands = nondet_uint32();
    tw_facts_t facts[TW_UNITS];
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);
    tw_output_t output;

    tw_move_modes(&config, &state, &input, facts, &cycle, &output);

    bool follow = true;
    bool same = state.active == before.active && state.latched == before.latched && state.held == before.held
        && state.cycle_count == before.cycle_count && state.config_sum == before.config_sum && state.clear_ms == before.clear_ms;
    bool runs = false;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        const tw_unit_state_t *unit = &state.unit[i];
        bool here = i < config.unit_count;
        follow = follow && (!here || (mode_follows(before.unit[i].mode, output.unit[i].event, unit->mode)
                                      && output.unit[i].mode == unit->mode && order_fits(unit->mode, output.unit[i].order)));
        same = same && mode_only(&before.unit[i], unit);
        runs = runs || (here && unit->mode == TW_MODE_RUN);
    }
    HOLDS(follow, "(e) every unit's mode follows from its event, and its order from its mode");
    HOLDS(cycle.running == runs, "running: some unit is in RUN");
    HOLDS(same, "modes change no cause, latch, limit or setpoint");
    HOLDS(state.mode < TW_MODES && output.mode == state.mode, "the site's mode is one");
    END;
}

void prove_order(void)
{
    tw_state_t state;
    state.active = nondet_uint32();
    state.latched = nondet_uint32();
    tw_input_t input;
    input.commands = nondet_uint32();
    const int32_t index = UNIT_COUNT - 1;
    state.unit[index] = nondet_unit_state();
    uint32_t order = order_for(&state, &state.unit[index], &input);
    SHOW(mode, state.unit[index].mode);
    SHOW(order, order);
    HOLDS(order_fits(state.unit[index].mode, order), "(e) an order to connect, start or form a grid only on that way");
    bool open = (state.unit[index].latched & TW_UNIT_AT(TW_LEVEL_BIT(OPEN))) != 0U
        || (state.latched & TW_SITE_AT(TW_LEVEL_BIT(OPEN))) != 0U;
    HOLDS(state.unit[index].mode != TW_MODE_FAULT || (order == TW_ORDER_OPEN) == open,
          "in FAULT it opens exactly for a latch that asks for it");
    END;
}
