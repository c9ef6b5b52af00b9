/* What is wrong with one unit right now, as its devices say: silence, flags, sequences, power. Cells are in cell.c. Nothing here
 * decides power. A stale device's other values are not looked at: their causes stay what they were. */
#include "inner.h"

#define PACK_STILL_DA 20  /* 2 A: below, a current sensor's offset; above, a current that somebody drives */

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
    state->seen &= 3U;
    state->seen |= input->bms_age_ms >= 0 && input->bms_age_ms != TW_AGE_NEVER ? 1U : 0U;
    state->seen |= input->pcs_age_ms >= 0 && input->pcs_age_ms != TW_AGE_NEVER ? 2U : 0U;
}

/* The ladder counts from the last answer; a device that never answered is only not ready. */
static void judge_ages(const tw_unit_config_t *config, const tw_unit_state_t *state, const tw_unit_input_t *input,
                       int32_t bms_age_ms, const tw_facts_t *facts, tw_judged_t *judged)
{
    bool attended = state->mode == TW_MODE_SERVICE;
    bool bms_counts = (state->seen & 1U) != 0U && !attended;
    bool pcs_counts = (state->seen & 2U) != 0U && !attended;
    bool frozen = state->heartbeat_ms > config->heartbeat_max_ms;
    bool drives = facts->plausible && tw_size(input->pack_current_da) > PACK_STILL_DA;
    tw_judge(judged, TW_UNIT_C_BMS_STALE, !facts->bms_fresh, true);
    tw_judge(judged, TW_UNIT_C_BMS_LOST, bms_counts && bms_age_ms > config->bms_age_stop_ms, facts->bms_fresh);
    tw_judge(judged, TW_UNIT_C_BMS_GONE, bms_counts && bms_age_ms > config->bms_age_open_ms, facts->bms_fresh);
    tw_judge(judged, TW_UNIT_C_BMS_FROZEN, frozen, true);
    tw_judge(judged, TW_UNIT_C_PCS_STALE, !facts->pcs_fresh, true);
    tw_judge(judged, TW_UNIT_C_PCS_LOST, pcs_counts && input->pcs_age_ms > config->pcs_age_stop_ms, facts->pcs_fresh);
    tw_judge(judged, TW_UNIT_C_PCS_GONE, pcs_counts && drives && input->pcs_age_ms > config->pcs_age_open_ms,
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
    tw_judge(judged, TW_UNIT_C_PCS_FAULT, (flags & TW_PCS_FAULT) != 0U, true);
    tw_judge(judged, TW_UNIT_C_PCS_LOCAL, (flags & TW_PCS_LOCAL) != 0U, true);
    tw_judge(judged, TW_UNIT_C_PCS_STOPPED, (flags & TW_PCS_RUNNING) == 0U, true);
    tw_judge(judged, TW_UNIT_C_WRITE_FAILED, (flags & TW_PCS_WRITE_FAILED) != 0U, true);
}

static void judge_bms(uint32_t flags, bool plausible, tw_judged_t *judged)
{
    tw_judge(judged, TW_UNIT_C_BMS_OPEN, (flags & TW_BMS_CONNECTED) == 0U, true);
    tw_judge(judged, TW_UNIT_C_BMS_ALARM, (flags & TW_BMS_ALARM) != 0U, true);
    tw_judge(judged, TW_UNIT_C_BMS_TRIP, (flags & TW_BMS_TRIP) != 0U, true);
    tw_judge(judged, TW_UNIT_C_VALUE_MISSING, !plausible, true);
}

/* Does the PCS do what it was told in the last cycle? */
static void judge_power(const tw_unit_config_t *config, const tw_unit_state_t *state, const tw_unit_input_t *input,
                        tw_judged_t *judged)
{
    int32_t told_w = tw_power(state->setpoint_w);
    int32_t does_w = tw_power(input->power_w);
    int32_t off_w = (int32_t)tw_size(does_w - told_w);
    int32_t told_size_w = (int32_t)tw_size(told_w);
    bool runs = state->mode == TW_MODE_RUN;
    bool apart = (does_w < 0 && told_w > 0) || (does_w > 0 && told_w < 0);
    tw_judge(judged, TW_UNIT_C_DEVIATION, runs && off_w > tw_most(config->deviation_max_w, told_size_w / 10), true);
    tw_judge(judged, TW_UNIT_C_WRONG_SIGN,
             runs && apart && told_size_w > config->deviation_max_w && tw_size(does_w) > config->deviation_max_w, true);
}

/* Two devices measure the same voltage; apart by more than a twentieth, one of them is wrong. */
static void judge_agreement(const tw_unit_input_t *input, const tw_facts_t *facts, tw_judged_t *judged)
{
    if (!facts->pcs_fresh || !facts->plausible) {
        return;
    }
    int64_t apart_dv = tw_size((int64_t)input->pcs_dc_voltage_dv - input->pack_voltage_dv);
    bool both = (input->bms_flags & TW_BMS_CONNECTED) != 0U && input->pcs_dc_voltage_dv != TW_UNKNOWN;
    tw_judge(judged, TW_UNIT_C_DISAGREE, both && apart_dv * 20 > input->pack_voltage_dv, true);
}

/* The third attempt is the last; a stop that does not come is worse than a start that does not. */
static void judge_sequence(const tw_config_t *config, const tw_unit_state_t *state, tw_judged_t *judged)
{
    bool last = state->tries >= 2;
    tw_judge(judged, TW_UNIT_C_CONNECT_FAILED,
             last && state->mode == TW_MODE_CONNECT && state->mode_ms >= config->connect_max_ms, true);
    tw_judge(judged, TW_UNIT_C_START_FAILED,
             last && state->mode == TW_MODE_START && state->mode_ms >= config->start_max_ms, true);
    tw_judge(judged, TW_UNIT_C_STOP_FAILED,
             state->mode == TW_MODE_STOPPING && state->mode_ms >= config->stop_max_ms, true);
}

static void judge_unit(const tw_config_t *site, const tw_unit_config_t *config, tw_unit_state_t *state,
                       const tw_unit_input_t *input, uint32_t commands, const tw_facts_t *facts, tw_judged_t *judged)
{
    judge_guards(input, facts, judged);
    judge_sequence(site, state, judged);
    if (facts->pcs_fresh) {
        judge_pcs(input->pcs_flags, judged);
        judge_power(config, state, input, judged);
    }
    if (facts->bms_fresh) {
        judge_bms(input->bms_flags, facts->plausible, judged);
    }
    if (facts->plausible) {
        tw_judge_cells(config, state, input, commands, judged);
    }
    judge_agreement(input, facts, judged);
}

void tw_unit_causes(const tw_config_t *site, int32_t index, tw_unit_state_t *state, const tw_unit_input_t *input,
                    uint32_t commands, int32_t dt_ms, tw_facts_t *facts)
{
    const tw_unit_config_t *config = &site->unit[index];
    int32_t bms_age_ms = bms_age_of(config, state, input, dt_ms);
    facts->bms_fresh = !tw_older(bms_age_ms, config->bms_age_max_ms);
    facts->pcs_fresh = !tw_older(input->pcs_age_ms, config->pcs_age_max_ms);
    facts->plausible = facts->bms_fresh && tw_plausible(input);
    note_seen(state, input);

    tw_judged_t judged = {0, 0, 0};
    judge_ages(config, state, input, bms_age_ms, facts, &judged);
    judge_unit(site, config, state, input, commands, facts, &judged);
    if (state->mode == TW_MODE_BOOT) { /* nothing has begun yet that a short silence could have disturbed */
        judged.quick = TW_UNIT_BIT(BMS_STALE) | TW_UNIT_BIT(PCS_STALE) | TW_UNIT_BIT(VALUE_MISSING);
    }
    tw_age_temp(state, input, facts->plausible, dt_ms);

    uint64_t before = state->active & TW_UNIT_JUDGED;
    state->active = before;
    bool timing = tw_timing(state->timer_ms, TW_UNIT_CAUSES);
    if (timing || (judged.trip | before) != 0U) {
        uint64_t among = timing ? (UINT64_C(1) << TW_UNIT_CAUSES) - 1U : judged.trip | before;
        state->active = tw_watch(tw_unit_rows(), among, &judged, before, state->timer_ms, dt_ms);
    }
    facts->rose = state->active & ~before;
}
