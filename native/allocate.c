/* Shares the battery power among the units. Few units at a good load are better than many at a poor one, so a set of units
 * shares, and it changes seldom; within it each gives by its band and by how full it is. Every part has the sign of the
 * battery and lies within its unit's band; the parts add up to the last watt. */
#include "inner.h"

typedef struct { /* of this cycle, in the direction of the battery */
    int32_t count;
    uint32_t able;
    int32_t band_w[TW_UNITS], head_cpct[TW_UNITS], part_w[TW_UNITS];
} tw_shares_t;

static bool has(uint32_t set, int32_t index)
{
    return ((set >> index) & 1U) != 0U;
}

static bool several(uint32_t set)
{
    return (set & (set - 1U)) != 0U;
}

static int32_t head_of(const tw_unit_config_t *config, int32_t soc_cpct, bool charges)
{
    int32_t floor_cpct = tw_most(config->soc_min_cpct, config->soc_reserve_cpct);
    int64_t head_cpct = charges ? (int64_t)config->soc_max_cpct - soc_cpct : (int64_t)soc_cpct - floor_cpct;
    return tw_clamp(head_cpct, 100, 10000);
}

static void look(const tw_config_t *config, const tw_input_t *input, const tw_output_t *output, tw_shares_t *shares)
{
    bool charges = output->battery_w < 0;
    shares->count = config->unit_count;
    shares->able = 0;
    for (int32_t i = 0; i < shares->count; i++) {
        const tw_unit_output_t *unit = &output->unit[i];
        shares->band_w[i] = charges ? unit->charge_max_w : unit->discharge_max_w;
        shares->head_cpct[i] = head_of(&config->unit[i], input->unit[i].soc_cpct, charges);
        shares->part_w[i] = 0;
        shares->able |= shares->band_w[i] > 0 ? 1U << i : 0U;
    }
}

/* Most head, then lowest index; -1 of none. */
static int32_t best_of(const tw_shares_t *shares, uint32_t set)
{
    int32_t best = -1;
    for (int32_t i = 0; i < shares->count && (set >> i) != 0U; i++) {
        if (has(set, i) && (best < 0 || shares->head_cpct[i] > shares->head_cpct[best])) {
            best = i;
        }
    }
    return best;
}

/* Least head, then highest index; -1 of none. */
static int32_t worst_of(const tw_shares_t *shares, uint32_t set)
{
    int32_t worst = -1;
    for (int32_t i = 0; i < shares->count && (set >> i) != 0U; i++) {
        if (has(set, i) && (worst < 0 || shares->head_cpct[i] <= shares->head_cpct[worst])) {
            worst = i;
        }
    }
    return worst;
}

static int32_t size_of(uint32_t set)
{
    int32_t size = 0;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        size += has(set, i) ? 1 : 0;
    }
    return size;
}

static int32_t cap_of(const tw_shares_t *shares, uint32_t set)
{
    int32_t cap_w = 0;
    for (int32_t i = 0; i < shares->count; i++) {
        cap_w += has(set, i) ? shares->band_w[i] : 0;
    }
    return cap_w;
}

static uint32_t grow(const tw_config_t *config, const tw_shares_t *shares, uint32_t set, int32_t want_w)
{
    for (int32_t i = 0; i < shares->count; i++) {
        int32_t best = best_of(shares, shares->able & ~set);
        if (best < 0) {
            break;
        }
        int64_t well_w = (int64_t)(size_of(set) + 1) * config->unit[best].power_efficient_min_w * 5 / 4;
        if (cap_of(shares, set) >= want_w && want_w < well_w) {
            break;
        }
        set |= 1U << best;
    }
    return set;
}

static uint32_t shrink(const tw_config_t *config, const tw_shares_t *shares, uint32_t set, int32_t want_w)
{
    if (!several(set)) {
        return set;
    }
    int32_t size = size_of(set);
    int32_t worst = worst_of(shares, set);
    if (want_w >= (int64_t)size * config->unit[worst].power_efficient_min_w) {
        return set;
    }
    bool enough = cap_of(shares, set) - shares->band_w[worst] >= want_w + want_w / 4;
    return enough ? set & ~(1U << worst) : set;
}

static uint32_t swap(const tw_shares_t *shares, uint32_t set, int32_t want_w)
{
    int32_t best = best_of(shares, shares->able & ~set);
    int32_t worst = best < 0 ? -1 : worst_of(shares, set);
    if (worst < 0 || shares->head_cpct[best] <= shares->head_cpct[worst] + 500) {
        return set;
    }
    bool enough = cap_of(shares, set) - shares->band_w[worst] + shares->band_w[best] >= want_w;
    return enough ? (set & ~(1U << worst)) | (1U << best) : set;
}

static uint32_t choose(const tw_config_t *config, const tw_shares_t *shares, uint32_t set, int32_t want_w)
{
    uint32_t grown = grow(config, shares, set, want_w);
    uint32_t shrunk = shrink(config, shares, grown, want_w);
    return shrunk == grown ? swap(shares, grown, want_w) : shrunk;
}

/* In proportion to band and head, over the set. Returns what is left; the parts need not be right, only within their bands. */
static int32_t divide(tw_shares_t *shares, uint32_t set, int32_t want_w)
{
    int64_t weight[TW_UNITS];
    int64_t weights = 0;
    for (int32_t i = 0; i < shares->count; i++) {
        weight[i] = has(set, i) ? (int64_t)shares->band_w[i] * (shares->head_cpct[i] / 100) : 0;
        weights += weight[i];
    }
    int32_t left_w = want_w;
    for (int32_t i = 0; i < shares->count; i++) {
        if (has(set, i)) {
            shares->part_w[i] = tw_clamp(tw_part(left_w, weight[i], weights), 0, tw_least(shares->band_w[i], left_w));
            left_w -= shares->part_w[i];
            weights -= weight[i];
        }
    }
    return left_w;
}

static int32_t top_up(tw_shares_t *shares, uint32_t set, int32_t left_w)
{
    for (int32_t i = 0; i < shares->count && left_w > 0; i++) {
        if (has(set, i)) {
            int32_t more_w = tw_least(left_w, shares->band_w[i] - shares->part_w[i]);
            shares->part_w[i] += more_w;
            left_w -= more_w;
        }
    }
    return left_w;
}

void tw_allocate(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output)
{
    bool charges = output->battery_w < 0;
    int32_t want_w = charges ? -output->battery_w : output->battery_w;
    tw_shares_t shares;
    look(config, input, output, &shares);
    state->sharing &= shares.able;
    if (want_w > 0 && !several(shares.able)) { /* there is nothing to choose */
        state->sharing = shares.able;
        (void)top_up(&shares, shares.able, want_w);
    } else if (want_w > 0) {
        state->sharing = choose(config, &shares, state->sharing, want_w);
        int32_t left_w = divide(&shares, state->sharing, want_w);
        left_w = top_up(&shares, state->sharing, left_w);
        (void)top_up(&shares, shares.able & ~state->sharing, left_w); /* all: the battery is within the units' band */
    }
    for (int32_t i = 0; i < shares.count; i++) {
        output->unit[i].setpoint_w = charges ? -shares.part_w[i] : shares.part_w[i];
    }
}
