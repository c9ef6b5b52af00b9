/* What is wrong with one unit right now, as its devices say: silence, flags, sequences, power. Cells are in cell.c. Nothing here
 * decides power. A stale device's other values are not looked at: their causes stay what they were. */
#include "inner.h"

#define PACK_STILL_DA 20  /* 2 A: below, a current sensor's offset; above, a current that somebody drives */

/* Causes that are gone as soon as they do not trip, by what must be fresh to judge them. */
#define PLAIN                                                                             \
    (TW_UNIT_BIT(BMS_STALE) | TW_UNIT_BIT(BMS_FROZEN) | TW_UNIT_BIT(PCS_STALE)            \
     | TW_UNIT_BIT(CONNECT_FAILED) | TW_UNIT_BIT(START_FAILED) | TW_UNIT_BIT(STOP_FAILED))
#define LADDER                                                                            \
    (TW_UNIT_BIT(BMS_LOST) | TW_UNIT_BIT(BMS_GONE) | TW_UNIT_BIT(PCS_LOST) | TW_UNIT_BIT(PCS_GONE))
#define PLAIN_PCS                                                                         \
    (TW_UNIT_BIT(PCS_FAULT) | TW_UNIT_BIT(PCS_LOCAL) | TW_UNIT_BIT(PCS_STOPPED)           \
     | TW_UNIT_BIT(WRITE_FAILED) | TW_UNIT_BIT(DEVIATION) | TW_UNIT_BIT(WRONG_SIGN))
#define PLAIN_BMS \
    (TW_UNIT_BIT(BMS_OPEN) | TW_UNIT_BIT(BMS_ALARM) | TW_UNIT_BIT(BMS_TRIP) | TW_UNIT_BIT(VALUE_MISSING))

/* How old the BMS's word is: a counter that stands still makes it as old as its last movement. */
static int32_t bms_age_of(const tw_unit_config_t *config, tw_unit_state_t *state, const tw_unit_input_t *input, int32_t dt_ms)
{
    bool still = input->bms_heartbeat != TW_UNKNOWN && input->bms_heartbeat == state->heartbeat;
    state->heartbeat_ms = still ? tw_longer(state->heartbeat_ms, dt_ms) : 0;
    state->heartbeat = input->bms_heartbeat;
    bool frozen = state->heartbeat_ms > config->heartbeat_max_ms;
    return frozen && input->bms_age_ms >= 0 ? tw_most(input->bms_age_ms, state->heartbeat_ms) : input->bms_age_ms;
}

static void note_seen(tw_unit_state_t *state, const tw_unit_input_t *input)
{
    if (state->seen == 3U) {
        return; /* as nearly always */
    }
    state->seen &= 3U;
    state->seen |= input->bms_age_ms >= 0 && input->bms_age_ms != TW_AGE_NEVER ? 1U : 0U;
    state->seen |= input->pcs_age_ms >= 0 && input->pcs_age_ms != TW_AGE_NEVER ? 2U : 0U;
}

/* The ladder counts from the last answer; a device that never answered is only not ready. */
static void judge_ages(const tw_unit_config_t *config, const tw_unit_state_t *state, const tw_unit_input_t *input,
                       int32_t bms_age_ms, const tw_facts_t *facts, tw_judged_t *judged)
{
    if (facts->bms_fresh && facts->pcs_fresh) { /* fresh is younger than any step of the ladder (init.c) */
        judged->clear |= LADDER;
        return;
    }
    bool attended = state->mode == TW_MODE_SERVICE;
    bool bms_counts = (state->seen & 1U) != 0U && !attended;
    bool pcs_counts = (state->seen & 2U) != 0U && !attended;
    bool drives = facts->plausible && tw_size(input->pack_current_da) > PACK_STILL_DA;
    tw_trip(judged, TW_UNIT_C_BMS_STALE, !facts->bms_fresh);
    tw_judge(judged, TW_UNIT_C_BMS_LOST, bms_counts && tw_older(bms_age_ms, config->bms_age_stop_ms), facts->bms_fresh);
    tw_judge(judged, TW_UNIT_C_BMS_GONE, bms_counts && tw_older(bms_age_ms, config->bms_age_open_ms), facts->bms_fresh);
    tw_trip(judged, TW_UNIT_C_PCS_STALE, !facts->pcs_fresh);
    tw_judge(judged, TW_UNIT_C_PCS_LOST, pcs_counts && tw_older(input->pcs_age_ms, config->pcs_age_stop_ms),
             facts->pcs_fresh);
    tw_judge(judged, TW_UNIT_C_PCS_GONE, pcs_counts && drives && tw_older(input->pcs_age_ms, config->pcs_age_open_ms),
             facts->pcs_fresh);
}

static void judge_guards(const tw_unit_input_t *input, const tw_facts_t *facts, tw_judged_t *judged)
{
    bool pcs = (input->pcs_flags & TW_PCS_GUARDED) != 0U;
    bool bms = (input->bms_flags & TW_BMS_GUARDED) != 0U;
    tw_judge(judged, TW_UNIT_C_UNGUARDED, (facts->pcs_fresh && !pcs) || (facts->bms_fresh && !bms),
             facts->pcs_fresh && facts->bms_fresh);
}

static void judge_pcs(uint32_t flags, tw_judged_t *judged)
{
    if ((flags & (TW_PCS_FAULT | TW_PCS_LOCAL | TW_PCS_RUNNING | TW_PCS_WRITE_FAILED)) == TW_PCS_RUNNING) {
        return; /* as nearly always */
    }
    tw_trip(judged, TW_UNIT_C_PCS_FAULT, (flags & TW_PCS_FAULT) != 0U);
    tw_trip(judged, TW_UNIT_C_PCS_LOCAL, (flags & TW_PCS_LOCAL) != 0U);
    tw_trip(judged, TW_UNIT_C_PCS_STOPPED, (flags & TW_PCS_RUNNING) == 0U);
    tw_trip(judged, TW_UNIT_C_WRITE_FAILED, (flags & TW_PCS_WRITE_FAILED) != 0U);
}

static void judge_bms(uint32_t flags, bool plausible, tw_judged_t *judged)
{
    tw_trip(judged, TW_UNIT_C_BMS_OPEN, (flags & TW_BMS_CONNECTED) == 0U);
    tw_trip(judged, TW_UNIT_C_BMS_ALARM, (flags & TW_BMS_ALARM) != 0U);
    tw_trip(judged, TW_UNIT_C_BMS_TRIP, (flags & TW_BMS_TRIP) != 0U);
    tw_trip(judged, TW_UNIT_C_VALUE_MISSING, !plausible);
}

/* Does the PCS do what it was told in the last cycle? */
static void judge_power(const tw_unit_config_t *config, const tw_unit_state_t *state, const tw_unit_input_t *input,
                        tw_judged_t *judged)
{
    if (state->mode != TW_MODE_RUN) {
        return;
    }
    int32_t told_w = tw_power(state->setpoint_w);
    int32_t does_w = tw_power(input->power_w);
    int32_t off_w = (int32_t)tw_size(does_w - told_w);
    if (off_w <= config->deviation_max_w) {
        return; /* neither: of opposite signs they would be further apart */
    }
    int32_t told_size_w = (int32_t)tw_size(told_w);
    bool apart = (does_w < 0 && told_w > 0) || (does_w > 0 && told_w < 0);
    tw_trip(judged, TW_UNIT_C_DEVIATION, off_w > tw_most(config->deviation_max_w, told_size_w / 10));
    tw_trip(judged, TW_UNIT_C_WRONG_SIGN,
             apart && told_size_w > config->deviation_max_w && tw_size(does_w) > config->deviation_max_w);
}

/* Two devices measure the same voltage; apart by more than a twentieth, one of them is wrong. */
static void judge_agreement(const tw_unit_input_t *input, tw_judged_t *judged)
{
    int64_t apart_dv = tw_size((int64_t)input->pcs_dc_voltage_dv - input->pack_voltage_dv);
    bool both = (input->bms_flags & TW_BMS_CONNECTED) != 0U && input->pcs_dc_voltage_dv != TW_UNKNOWN;
    tw_trip(judged, TW_UNIT_C_DISAGREE, both && apart_dv * 20 > input->pack_voltage_dv);
}

/* The third attempt is the last. A stop that does not come is worse than a start that does not; but only a PCS that answers
 * can be said not to stop, a silent one has its own watchdog (and PCS_GONE). */
static void judge_sequence(const tw_config_t *config, const tw_unit_state_t *state, const tw_unit_input_t *input,
                           const tw_facts_t *facts, tw_judged_t *judged)
{
    bool last = state->tries >= 2;
    if (state->mode == TW_MODE_CONNECT) {
        tw_trip(judged, TW_UNIT_C_CONNECT_FAILED, last && state->mode_ms >= config->connect_max_ms);
    } else if (state->mode == TW_MODE_START) {
        tw_trip(judged, TW_UNIT_C_START_FAILED, last && state->mode_ms >= config->start_max_ms);
    } else if (state->mode == TW_MODE_STOPPING) {
        bool going = (input->pcs_flags & TW_PCS_RUNNING) != 0U || (facts->plausible && tw_size(input->pack_current_da) > PACK_STILL_DA);
        tw_trip(judged, TW_UNIT_C_STOP_FAILED, facts->pcs_fresh && going && state->mode_ms >= config->stop_max_ms);
    }
}

static tw_judged_t judge_unit(const tw_config_t *site, int32_t index, tw_unit_state_t *state,
                              const tw_unit_input_t *input, uint32_t commands, int32_t bms_age_ms, int32_t dt_ms,
                              const tw_facts_t *facts)
{
    const tw_unit_config_t *config = &site->unit[index];
    uint64_t plain = PLAIN;
    tw_judged_t judged = {0, 0};
    if (facts->plausible) {
        judged = tw_judge_cells(config, state, input, commands, dt_ms);
    } else {
        state->temp_then_ms = -1; /* what was a minute ago is not known any more */
    }
    tw_trip(&judged, TW_UNIT_C_BMS_FROZEN, state->heartbeat_ms > config->heartbeat_max_ms);
    judge_ages(config, state, input, bms_age_ms, facts, &judged);
    judge_guards(input, facts, &judged);
    judge_sequence(site, state, input, facts, &judged);
    if (facts->pcs_fresh) {
        judge_pcs(input->pcs_flags, &judged);
        judge_power(config, state, input, &judged);
        plain |= PLAIN_PCS;
    }
    if (facts->bms_fresh) {
        judge_bms(input->bms_flags, facts->plausible, &judged);
        plain |= PLAIN_BMS;
    }
    if (facts->pcs_fresh && facts->plausible) {
        judge_agreement(input, &judged);
        plain |= TW_UNIT_BIT(DISAGREE);
    }
    tw_clear_rest(&judged, plain);
    return judged;
}

static void look_at(const tw_config_t *site, int32_t index, tw_unit_state_t *state, const tw_unit_input_t *input,
                    uint32_t commands, int32_t dt_ms, tw_facts_t *facts)
{
    const tw_unit_config_t *config = &site->unit[index];
    int32_t bms_age_ms = bms_age_of(config, state, input, dt_ms);
    facts->bms_fresh = !tw_older(bms_age_ms, config->bms_age_max_ms);
    facts->pcs_fresh = !tw_older(input->pcs_age_ms, config->pcs_age_max_ms);
    facts->plausible = facts->bms_fresh && tw_plausible(input);
    note_seen(state, input);

    tw_judged_t judged = judge_unit(site, index, state, input, commands, bms_age_ms, dt_ms, facts);
    uint64_t quick = 0;
    if (state->mode == TW_MODE_BOOT) { /* nothing has begun yet that a short silence could have disturbed */
        quick = TW_UNIT_BIT(BMS_STALE) | TW_UNIT_BIT(PCS_STALE) | TW_UNIT_BIT(VALUE_MISSING);
    }

    uint64_t before = state->active & TW_UNIT_JUDGED;
    uint64_t among = judged.trip | before;
    if (tw_timing(state->timer_ms, TW_UNIT_CAUSES)) {
        among = (UINT64_C(1) << TW_UNIT_CAUSES) - 1U; /* a timer whose condition is gone begins again */
    }
    state->active = before;
    if (among != 0U) {
        state->active = tw_watch(tw_unit_rows(), among, judged, quick, before, state->timer_ms, dt_ms);
    }
    facts->rose = state->active & ~before;
}

void tw_unit_causes(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, int32_t dt_ms,
                    tw_facts_t *facts)
{
    for (int32_t i = 0; i < config->unit_count; i++) {
        look_at(config, i, &state->unit[i], &input->unit[i], input->commands, dt_ms, &facts[i]);
    }
}
