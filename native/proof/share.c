/* The battery shared among the units: every part within its unit's band, of one sign, and to the last watt, whatever the division
 * answers and whichever units were chosen. In three steps, each over the same sum of the parts: divide, top up, all together. */
#include "part.h"

uint32_t any_choose(const void *config, const void *shares, uint32_t set, int32_t want_w);
int32_t any_divide(void *shares, uint32_t set, int32_t want_w);
int32_t any_top_up(void *shares, uint32_t set, int32_t left_w);

#include "../allocate.c"

uint32_t any_choose(const void *config, const void *shares, uint32_t set, int32_t want_w)
{
    (void)config;
    (void)shares;
    (void)set;
    (void)want_w;
    return nondet_uint32();
}

static bool within_bands(const tw_shares_t *shares)
{
    bool all = true;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        all = all && (i >= shares->count || (shares->part_w[i] >= 0 && shares->part_w[i] <= shares->band_w[i]));
    }
    return all;
}

/* What the parts leave of a power, in the order of the units. */
static int32_t left_of(const tw_shares_t *shares, int32_t power_w)
{
    int32_t left_w = power_w;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        left_w -= i < shares->count ? shares->part_w[i] : 0;
    }
    return left_w;
}

static bool full(const tw_shares_t *shares, uint32_t set)
{
    bool all = true;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        all = all && (i >= shares->count || !has(set, i) || shares->part_w[i] == shares->band_w[i]);
    }
    return all;
}

static tw_shares_t any_shares(void)
{
    tw_shares_t shares;
    shares.count = UNIT_COUNT;
    shares.able = 0;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        shares.band_w[i] = any_between(0, TW_POWER_LIMIT_W);
        shares.head_cpct[i] = any_between(100, 10000);
        shares.part_w[i] = 0;
        shares.able |= i < shares.count && shares.band_w[i] > 0 ? 1U << i : 0U;
    }
    return shares;
}

void prove_divide(void)
{
    tw_shares_t shares = any_shares();
    int32_t want_w = any_between(1, TW_BATTERY_LIMIT_W);
    int32_t left_w = divide(&shares, nondet_uint32(), want_w);
    SHOW(want_w, want_w);
    SHOW(left_w, left_w);
    HOLDS(within_bands(&shares), "(a) every part is within its band");
    HOLDS(left_w >= 0 && left_w == left_of(&shares, want_w), "(b) what is left is what the parts leave");
    END;
}

void prove_top_up(void)
{
    tw_shares_t shares = any_shares();
    for (int32_t i = 0; i < TW_UNITS; i++) {
        shares.part_w[i] = any_between(0, shares.band_w[i]);
    }
    int32_t left_w = any_between(0, TW_BATTERY_LIMIT_W);
    const tw_shares_t before = shares;
    uint32_t set = nondet_uint32();
    int32_t over_w = top_up(&shares, set, left_w);
    int32_t added_w = left_w;
    bool grows = true;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        grows = grows && shares.part_w[i] >= before.part_w[i];
        added_w -= i < shares.count ? shares.part_w[i] - before.part_w[i] : 0;
    }
    HOLDS(within_bands(&shares), "(a) every part is within its band");
    HOLDS(grows, "no part shrinks");
    HOLDS(over_w <= left_w, "no more is left than before");
    HOLDS(over_w >= 0 && over_w == added_w, "(b) what is left is what was not added");
    HOLDS(over_w == 0 || full(&shares, set), "(b) something is left only when every unit of the set is full");
    END;
}

static int32_t rest_w;             /* what the parts so far leave; its sum is `divide`, `top up`, `account` */
static int32_t given_w[TW_UNITS];  /* the parts so far */

/* What the two proofs above say, but the sums. */
int32_t any_divide(void *at, uint32_t set, int32_t want_w)
{
    (void)set;
    tw_shares_t *shares = at;
    HOLDS(want_w == rest_w, "all of the battery is divided");
    for (int32_t i = 0; i < TW_UNITS; i++) {
        given_w[i] = shares->part_w[i] = nondet_int32();
    }
    rest_w = nondet_int32();
    GIVEN(within_bands(shares) && rest_w >= 0);
    return rest_w;
}

int32_t any_top_up(void *at, uint32_t set, int32_t left_w)
{
    tw_shares_t *shares = at;
    HOLDS(left_w == rest_w, "what is left is topped up");
    for (int32_t i = 0; i < TW_UNITS; i++) {
        const int32_t before_w = shares->part_w[i];
        given_w[i] = shares->part_w[i] = nondet_int32();
        GIVEN(given_w[i] >= before_w);
    }
    rest_w = nondet_int32();
    GIVEN(within_bands(shares) && rest_w >= 0 && rest_w <= left_w && (rest_w == 0 || full(shares, set)));
    return rest_w;
}

/* Between the two forms: pure arithmetic, on any numbers, for a solver that knows it. */
void prove_account(void)
{
    uint32_t want_w = nondet_uint32();
    uint32_t left_w = want_w;
    uint32_t over_w = want_w; /* by the parts after */
    uint32_t added_w = 0;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        uint32_t before_w = nondet_uint32();
        uint32_t after_w = nondet_uint32();
        left_w -= before_w;
        over_w -= after_w;
        added_w += after_w - before_w;
    }
    HOLDS(left_w - added_w == over_w, "(b) what is left less what was added is the whole less the parts");
    END;
}

void prove_share(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        config.unit[i].soc_min_cpct = any_between(0, 10000);
        config.unit[i].soc_max_cpct = any_between(0, 10000);
        config.unit[i].soc_reserve_cpct = any_between(0, 10000);
    }
    tw_state_t state;
    tw_input_t input;
    tw_output_t output;
    output.battery_w = any_between(-TW_BATTERY_LIMIT_W, TW_BATTERY_LIMIT_W);
    const int32_t battery_w = output.battery_w;
    bool charges = battery_w < 0;
    rest_w = charges ? -battery_w : battery_w;
    for (int32_t i = 0; i < UNIT_COUNT; i++) { /* what `unit limits` proves of every unit's band */
        output.unit[i].charge_max_w = any_between(0, TW_POWER_LIMIT_W);
        output.unit[i].discharge_max_w = any_between(0, TW_POWER_LIMIT_W);
        given_w[i] = 0;
    }

    tw_allocate(&config, &state, &input, &output);

    bool inside = true;
    bool as_given = true;
    bool all_full = true;
    for (int32_t i = 0; i < UNIT_COUNT; i++) {
        int32_t band_w = charges ? output.unit[i].charge_max_w : output.unit[i].discharge_max_w;
        inside = inside && share_in_band(&output, i);
        as_given = as_given && output.unit[i].setpoint_w == (charges ? -given_w[i] : given_w[i]);
        all_full = all_full && given_w[i] == band_w;
    }
    SHOW(battery_w, battery_w);
    SHOW(setpoint_w, output.unit[0].setpoint_w);
    SHOW(band_min_w, -output.unit[0].charge_max_w);
    SHOW(band_max_w, output.unit[0].discharge_max_w);
    SHOW(rest_w, rest_w);
    HOLDS(inside, "(a) (b) every setpoint is within its unit's band and of the battery's sign");
    HOLDS(as_given && output.battery_w == battery_w, "(b) every setpoint is the part that was given");
    HOLDS(rest_w == 0 || all_full, "(b) something is left only when every unit is full");
    END;
}

#define PLACES ((1U << UNIT_COUNT) - 1U)

/* What `best of` proves, and no more: a unit of the set, or none. */
int32_t any_of(const void *at, uint32_t set)
{
    const tw_shares_t *shares = at;
    int32_t one = any_between(-1, TW_UNITS - 1);
    GIVEN(one == -1 ? (set & PLACES) == 0U : one < shares->count && has(set, one));
    return one;
}

int32_t any_cap(const void *shares, uint32_t set)
{
    (void)shares;
    (void)set;
    return any_between(0, TW_BATTERY_LIMIT_W);
}

int32_t any_size(uint32_t set)
{
    (void)set;
    return any_between(0, TW_UNITS);
}

/* Those that stand in the choice. */
void prove_best(void)
{
    tw_shares_t shares = any_shares();
    uint32_t set = nondet_uint32();
    int32_t best = best_of(&shares, set);
    int32_t worst = worst_of(&shares, set);
    SHOW(best, best);
    SHOW(worst, worst);
    HOLDS(best >= -1 && worst >= -1 && best < UNIT_COUNT && worst < UNIT_COUNT, "one of the units, or none");
    HOLDS((best == -1 || has(set, best)) && (worst == -1 || has(set, worst)), "one of the set");
    HOLDS((best == -1) == ((set & PLACES) == 0U) && (worst == -1) == ((set & PLACES) == 0U), "none only of none");
    int32_t cap_w = cap_of(&shares, set);
    HOLDS(cap_w >= 0 && cap_w <= TW_BATTERY_LIMIT_W, "what a set can is bounded");
    int32_t size = size_of(set);
    HOLDS(size >= 0 && size <= TW_UNITS, "the size of a set is bounded");
    END;
}

/* The choice of units itself: no fault, for any shares. */
void prove_choose(void)
{
    tw_config_t config;
    tw_shares_t shares = any_shares();
    for (int32_t i = 0; i < TW_UNITS; i++) {
        config.unit[i].power_efficient_min_w = any_between(0, TW_POWER_LIMIT_W);
    }
    uint32_t set = nondet_uint32() & shares.able;
    int32_t want_w = any_between(1, TW_BATTERY_LIMIT_W);
    uint32_t chosen = choose(&config, &shares, set, want_w);
    SHOW(chosen, chosen);
    SHOW(able, shares.able);
    HOLDS((chosen & ~shares.able) == 0U, "only units that are able are chosen");
    END;
}
