/* The battery power of the site: whatever is wished and whatever the division answers, the battery stays within the units' band and
 * near where it was. */
#include "promises.h"

int64_t any_part(int64_t whole, int64_t part, int64_t of);

#include "../band.c"

static int64_t answer; /* the last one of the division */

int64_t any_part(int64_t whole, int64_t part, int64_t of)
{
    HOLDS(part_fits(whole, part), "the division is asked within its range");
    (void)of;
    answer = nondet_int64();
    return answer;
}

/* What `unit limits` proves of every unit's band; the rest of the output is any. */
static tw_output_t banded(int32_t unit_count)
{
    tw_output_t output = nondet_output();
    for (int32_t i = 0; i < TW_UNITS; i++) {
        GIVEN(i >= unit_count || (output.unit[i].charge_max_w >= 0 && output.unit[i].charge_max_w <= TW_POWER_LIMIT_W));
        GIVEN(i >= unit_count
              || (output.unit[i].discharge_max_w >= 0 && output.unit[i].discharge_max_w <= TW_POWER_LIMIT_W));
    }
    return output;
}

static void give_powers(tw_config_t *config)
{
    config->unit_count = any_between(1, TW_UNITS);
    config->import_max_w = any_between(0, TW_POWER_LIMIT_W);
    config->fuse_max_w = any_between(0, TW_POWER_LIMIT_W);
    config->export_max_w = any_between(0, TW_POWER_LIMIT_W);
    config->setpoint_ramp_w_per_s = any_between(20, TW_POWER_LIMIT_W);
    for (int32_t i = 0; i < TW_UNITS; i++) {
        config->unit[i].power_charge_max_w = any_between(0, TW_POWER_LIMIT_W);
        config->unit[i].power_discharge_max_w = any_between(0, TW_POWER_LIMIT_W);
    }
}

void prove_site_band(void)
{
    tw_config_t config;
    give_powers(&config);
    tw_input_t input = nondet_input();
    tw_facts_t facts[TW_UNITS];
    tw_output_t output = banded(config.unit_count);

    tw_site_band(&config, &input, facts, &output);

    int32_t low_w = 0;
    int32_t high_w = 0;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        low_w -= i < config.unit_count ? output.unit[i].charge_max_w : 0;
        high_w += i < config.unit_count ? output.unit[i].discharge_max_w : 0;
    }
    HOLDS(output.band_min_w == low_w && output.band_max_w == high_w, "(b) the units' band is the sum of their bands");
    HOLDS(output.net_load_w >= -9 * TW_POWER_LIMIT_W && output.net_load_w <= 9 * TW_POWER_LIMIT_W, "net load is bounded");
    END;
}

void prove_battery(void)
{
    tw_config_t config;
    give_powers(&config);
    tw_state_t state;
    state.active = nondet_uint32();
    tw_cycle_t cycle = nondet_cycle();
    GIVEN(cycle.dt_ms >= 0 && cycle.dt_ms <= 2000);
    int32_t asked_w = nondet_int32();
    int32_t before_w = any_between(-TW_BATTERY_LIMIT_W, TW_BATTERY_LIMIT_W);
    tw_output_t output = nondet_output();
    output.band_min_w = any_between(-TW_BATTERY_LIMIT_W, 0);
    output.band_max_w = any_between(0, TW_BATTERY_LIMIT_W);
    output.net_load_w = any_between(-9 * TW_POWER_LIMIT_W, 9 * TW_POWER_LIMIT_W);

    tw_battery_power(&config, &state, &cycle, asked_w, before_w, &output);

    int64_t step_w = into(answer, 0, 2 * TW_POWER_LIMIT_W);
    SHOW(battery_w, output.battery_w);
    SHOW(before_w, before_w);
    SHOW(band_min_w, output.band_min_w);
    SHOW(band_max_w, output.band_max_w);
    SHOW(step_w, step_w);
    SHOW(asked_w, asked_w);
    SHOW(net_load_w, output.net_load_w);
    HOLDS(battery_in_bands(&config, &cycle, &output),
          "(b) the battery is within the units' band, within the site's as far as the units can, and 0 when not usable");
    HOLDS(battery_ramps(&config, &cycle, state.active, before_w, step_w, &output),
          "(c) the battery moves by no more than the ramp's step from where it was");
    int32_t faded_w = output.stage_w[TW_STAGE_FADE];
    HOLDS(!(state.active & SITE(POC_FADE)) || (before_w < 0 ? faded_w >= before_w && faded_w <= 0 : faded_w <= before_w && faded_w >= 0),
          "(d) with an old meter the battery goes towards 0, whatever is wished");
    HOLDS(output.wish_w == (asked_w < -TW_BATTERY_LIMIT_W ? -TW_BATTERY_LIMIT_W
          : asked_w > TW_BATTERY_LIMIT_W ? TW_BATTERY_LIMIT_W : asked_w), "the wish is reported, clamped");
    END;
}

/* The one division: no overflow for what its callers may ask (each stub of it checks that). */
void prove_part(void)
{
    int64_t whole = nondet_int64();
    int64_t part = nondet_int64();
    GIVEN(part_fits(whole, part));
    SHOW(whole, whole);
    SHOW(part, part);
    (void)tw_part(whole, part, nondet_int64());
    END;
}

/* The one division: exact where its contract says so; and the ramp's step is its answer to these numbers. */
void prove_ramp_step(void)
{
    int32_t ramp_w_per_s = any_between(20, TW_POWER_LIMIT_W);
    int32_t dt_ms = any_between(0, 2000);
    int64_t step_w = tw_part(ramp_w_per_s, dt_ms, 1000);
    HOLDS(step_w == (int64_t)ramp_w_per_s * dt_ms / 1000, "(c) the ramp's step is ramp times dt");
    HOLDS(step_w >= 0 && step_w <= 2 * (int64_t)TW_POWER_LIMIT_W, "and within the bounds that its caller clamps to");
    END;
}
