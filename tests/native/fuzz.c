/* libFuzzer on the four structs and the gate: the input is a vector file (vectors.h) of any bits, cut short where it makes no
 * sense. Whatever it holds, nothing undefined may happen (built with the sanitizers), and what is said below must be true.
 * Each cycle is stepped twice: with the kernel's own wish half, and from the same state with one that answers the record's
 * bits. fuzz.py builds it so that the kernel's own is called tw_wish_of_the_kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "causes.h"
#include "door.h"
#include "vectors.h"

void tw_wish_of_the_kernel(const tw_config_t *config, tw_wish_state_t *state, const tw_input_t *input,
                           const tw_view_t *view, tw_wish_t *wish);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const tw_wish_t *any_wish; /* NULL: the kernel's own */
static tw_config_t config;
static tw_state_t state;
static tw_output_t output;

void tw_wish(const tw_config_t *of, tw_wish_state_t *own, const tw_input_t *input, const tw_view_t *view, tw_wish_t *wish)
{
    if (any_wish != NULL) {
        *wish = *any_wish;
    } else {
        tw_wish_of_the_kernel(of, own, input, view, wish);
    }
}

static void must(bool holds, const char *sentence)
{
    if (!holds) {
        fprintf(stderr, "not true: %s\n", sentence);
        abort();
    }
}

static int64_t size_of(int64_t value)
{
    return value < 0 ? -value : value;
}

/* A site cause that allows no power is active. */
static bool site_forbids(const tw_state_t *after)
{
    bool forbids = false;
    for (int32_t i = 0; i < TW_SITE_CAUSES; i++) {
        bool active = ((after->active >> i) & 1U) != 0U;
        forbids = forbids || (active && tw_site_row(i).level >= TW_LEVEL_ZERO);
        forbids = forbids || (active && i == TW_SITE_C_DOOR && config.safe_door != TW_SAFE_WARN);
    }
    return forbids;
}

static bool unit_forbids(uint64_t active, uint8_t direction)
{
    bool forbids = false;
    for (int32_t i = 0; i < TW_UNIT_CAUSES; i++) {
        uint8_t level = tw_unit_row(i).level;
        forbids = forbids || (((active >> i) & 1U) != 0U && (level >= TW_LEVEL_ZERO || level == direction));
    }
    return forbids;
}

static void check_unit(const tw_state_t *after, const tw_output_t *out, int32_t index, bool forbidden)
{
    const tw_unit_output_t *unit = &out->unit[index];
    const tw_unit_state_t *own = &after->unit[index];
    const tw_unit_config_t *of = &config.unit[index];
    int64_t set_w = unit->setpoint_w;
    must(set_w <= unit->discharge_max_w && -set_w <= unit->charge_max_w, "a setpoint is inside its unit's band");
    must(unit->charge_max_w <= of->power_charge_max_w && unit->discharge_max_w <= of->power_discharge_max_w,
         "a band is inside the rating");
    must(size_of(unit->reactive_var) <= of->reactive_max_var, "reactive power is inside the rating");
    must(set_w == 0 || (!forbidden && unit->mode == TW_MODE_RUN && unit->latched == 0U), "no power without leave");
    must(set_w >= 0 || !unit_forbids(own->active, TW_LEVEL_NO_CHARGE), "no charge while a cause forbids it");
    must(set_w <= 0 || !unit_forbids(own->active, TW_LEVEL_NO_DISCHARGE), "no discharge while a cause forbids it");
    must(set_w == own->setpoint_w && unit->mode == own->mode && unit->mode < TW_MODES, "state and output say the same");
    for (int32_t i = 1; i < TW_BOUNDS; i++) {
        must(unit->charge_after_w[i] <= unit->charge_after_w[i - 1] && unit->charge_after_w[i] >= 0
                 && unit->discharge_after_w[i] <= unit->discharge_after_w[i - 1] && unit->discharge_after_w[i] >= 0,
             "each bound only narrows");
    }
}

static void check_output(const tw_state_t *after, const tw_output_t *out)
{
    int64_t sum_w = 0;
    int64_t sizes_w = 0;
    bool refused = (out->why & TW_SITE_BIT(CONFIG)) != 0U;
    bool forbidden = refused || after->latched != 0U || site_forbids(after);
    for (int32_t i = 0; i < TW_UNITS; i++) {
        bool there = !refused && i < config.unit_count;
        if (there) {
            check_unit(after, out, i, forbidden);
        }
        const tw_unit_output_t none = {0};
        must(there || memcmp(&out->unit[i], &none, sizeof none) == 0, "a unit that does not exist is all zero");
        sum_w += out->unit[i].setpoint_w;
        sizes_w += size_of(out->unit[i].setpoint_w);
    }
    must(sum_w == out->battery_w, "the setpoints add up to the last watt");
    must(sizes_w == size_of(sum_w), "no unit works against another");
    must(out->battery_w >= out->band_min_w && out->battery_w <= out->band_max_w, "the battery is inside its band");
    must(!forbidden || (out->battery_w == 0 && out->reactive_permille == 0), "a forbidden site stands at zero");
    must(refused || (out->pv_limit_w >= 0 && out->pv_limit_w <= config.pv_rated_w), "PV is limited inside its rating");
}

/* One cycle from a copy of the state; into *out everything must be written, whatever was there. */
static void step_from(const tw_state_t *before, const tw_input_t *input, int fill, tw_state_t *after, tw_output_t *out)
{
    *after = *before;
    memset(out, fill, sizeof *out);
    tw_step(&config, after, input, out);
}

static void step_both(const record_step_t *step)
{
    static tw_state_t twin;
    static tw_output_t other;
    static tw_state_t before;
    before = state;
    any_wish = &step->wish;
    step_from(&before, &step->input, 0x5A, &twin, &other);
    check_output(&twin, &other);
    any_wish = NULL;
    step_from(&before, &step->input, 0x5A, &twin, &other);
    step_from(&before, &step->input, 0xA5, &state, &output);
    must(memcmp(&twin, &state, sizeof twin) == 0 && memcmp(&other, &output, sizeof other) == 0,
         "the same bits give the same bits, every byte of them");
    check_output(&state, &output);
}

static void check_passed(const tw_gate_rule_t *rule, const tw_write_t *write)
{
    must(rule->port_index == write->port_index && rule->address == write->address && rule->function == write->function
             && rule->reg == write->reg && rule->count == write->count && write->value >= rule->value_min
             && write->value <= rule->value_max,
         "only what is listed passes the gate");
    must(write->function == 5 || write->function == 6 || write->function == 15 || write->function == 16,
         "only a write passes the gate");
    if (rule->kind == TW_GATE_POWER && write->value != 0) {
        const tw_unit_output_t *unit = &output.unit[rule->unit_index];
        int64_t power_w = (int64_t)write->value * rule->scale_w;
        must(power_w <= unit->discharge_max_w && -power_w <= unit->charge_max_w, "power passes the gate inside the band");
    }
}

static void ask_gate(record_write_t *record)
{
    int64_t before[RULES];
    int32_t count = record->rule_count < 0 || record->rule_count > RULES ? RULES : record->rule_count;
    memcpy(before, record->written_mono_ms, sizeof before);
    for (int32_t i = 0; record->mode_shown >= 0 && i < TW_UNITS; i++) {
        output.mode = output.unit[i].mode = (uint32_t)record->mode_shown;
    }
    int32_t row = tw_tx_allowed(record->rule, record->written_mono_ms, count, &output, &record->write);
    must(row >= -1 && row < count, "the gate answers with a row, or none");
    for (int32_t i = 0; i < RULES; i++) {
        must(record->written_mono_ms[i] == (i == row ? record->write.mono_ms : before[i]), "only the row that passes is stamped");
    }
    if (row >= 0) {
        check_passed(&record->rule[row], &record->write);
    }
}

static void patch(const record_patch_t *one)
{
    unsigned char *part = one->of_unit ? (unsigned char *)state.unit : (unsigned char *)&state;
    size_t room = one->of_unit ? sizeof state.unit : sizeof state;
    size_t size = one->size_bytes > 8 ? 8 : one->size_bytes;
    memcpy(part + one->offset_bytes % (room - 8), &one->value, size);
}

static void init(void)
{
    tw_state_t twin;
    memset(&twin, 0x5A, sizeof twin);
    int32_t status = tw_init(&config, &state);
    must(status == tw_init(&config, &twin) && memcmp(&twin, &state, sizeof twin) == 0, "tw_init writes every byte");
}

static void take(uint32_t kind, const uint8_t *bytes)
{
    record_word_t word;
    record_patch_t one;
    static record_step_t step;
    record_write_t write;
    switch (kind) {
    case RECORD_CONFIG:
        memcpy(&config, bytes, sizeof config);
        init();
        break;
    case RECORD_WORD:
    case RECORD_CHANGE:
        memcpy(&word, bytes, sizeof word);
        memcpy((unsigned char *)&config + word.offset_bytes % (sizeof config - 4), &word.value, sizeof word.value);
        break; /* without tw_init: the step itself must see it */
    case RECORD_PATCH:
        memcpy(&one, bytes, sizeof one);
        patch(&one);
        break;
    case RECORD_STEP:
        memcpy(&step, bytes, sizeof step);
        step_both(&step);
        break;
    default:
        memcpy(&write, bytes, sizeof write);
        ask_gate(&write);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {0, sizeof(tw_config_t), sizeof(record_word_t), sizeof(record_patch_t),
                                   sizeof(record_step_t), sizeof(record_write_t), sizeof(record_word_t)};
    memset(&config, 0, sizeof config);
    memset(&output, 0, sizeof output);
    init();
    for (size_t at = 0; at + sizeof(record_head_t) <= size;) {
        record_head_t head;
        memcpy(&head, data + at, sizeof head);
        at += sizeof head;
        if (head.kind == 0 || head.kind > RECORD_CHANGE || at + sizes[head.kind] > size) {
            break;
        }
        take(head.kind, data + at);
        at += sizes[head.kind];
    }
    return 0;
}
