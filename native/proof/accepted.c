/* What tw_init accepts is what the handbook says, no more and no less; a step asks again whenever it must; a state begins as the
 * handbook says. The sum over the configuration is any number that is the same for the same configuration. */
#include "accepted.h"

uint32_t any_sum(const tw_config_t *config);
bool any_config_ok(const tw_config_t *config);
bool any_site_ok(const tw_config_t *config);
bool any_times_ok(const tw_config_t *config);
bool any_words_ok(const tw_config_t *config);
bool any_unit_ok(const tw_unit_config_t *unit);
bool any_other_ok(const tw_unit_config_t *unit);
bool any_wish_ok(const tw_config_t *config);

#include "../init.c"

static uint32_t sum_now;  /* of the one configuration of a proof */
static bool config_is_ok;

uint32_t any_sum(const tw_config_t *config)
{
    (void)config;
    return sum_now;
}

bool any_config_ok(const tw_config_t *config)
{
    (void)config;
    return config_is_ok;
}

void prove_accepted_unit(void)
{
    tw_unit_config_t unit = nondet_unit_config();
    bool ok = unit_power_ok(&unit) && unit_soc_ok(&unit) && unit_voltage_ok(&unit) && unit_temp_ok(&unit)
        && unit_spread_ok(&unit) && unit_ages_ok(&unit);
    SHOW(soc_min_cpct, unit.soc_min_cpct);
    SHOW(soc_max_cpct, unit.soc_max_cpct);
    SHOW(cell_voltage_max_mv, unit.cell_voltage_max_mv);
    SHOW(temp_max_dc, unit.temp_max_dc);
    SHOW(bms_age_max_ms, unit.bms_age_max_ms);
    HOLDS(!ok || unit_accepted(&unit), "what is accepted is what the handbook accepts");
    HOLDS(ok || !unit_accepted(&unit), "what the handbook accepts is accepted");
    END;
}

void prove_accepted_site(void)
{
    tw_config_t config;
    bool ok = config.abi == TW_ABI && within(config.unit_count, 1, TW_UNITS) && site_ok(&config) && times_ok(&config)
        && words_ok(&config);
    SHOW(unit_count, config.unit_count);
    SHOW(cycle_ms, config.cycle_ms);
    SHOW(import_max_w, config.import_max_w);
    HOLDS(!ok || site_accepted(&config), "what is accepted is what the handbook accepts");
    HOLDS(ok || !site_accepted(&config), "what the handbook accepts is accepted");
    END;
}

void prove_accepted_wish(void)
{
    tw_config_t config;
    bool ok = tw_wish_config_ok(&config);
    SHOW(soc_target_cpct, config.wish.soc_target_cpct);
    HOLDS(!ok || wish_accepted(&config), "what is accepted is what the handbook accepts");
    HOLDS(ok || !wish_accepted(&config), "what the handbook accepts is accepted");
    END;
}

/* The verdicts of the parts: any, and the same for the same. Of a unit it stands in its first word. */
static bool site_is_ok, wish_is_ok;

bool any_site_ok(const tw_config_t *config)
{
    (void)config;
    return site_is_ok;
}

bool any_times_ok(const tw_config_t *config)
{
    (void)config;
    return true;
}

bool any_words_ok(const tw_config_t *config)
{
    (void)config;
    return true;
}

bool any_unit_ok(const tw_unit_config_t *unit)
{
    return unit->power_charge_max_w == 1;
}

bool any_other_ok(const tw_unit_config_t *unit)
{
    return unit->power_discharge_max_w == 1;
}

bool any_wish_ok(const tw_config_t *config)
{
    (void)config;
    return wish_is_ok;
}

void prove_accepted(void)
{
    tw_config_t config;
    site_is_ok = nondet_bool();
    wish_is_ok = nondet_bool();
    bool all = true;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        bool ok = config.unit[i].power_charge_max_w == 1 && config.unit[i].power_discharge_max_w == 1;
        all = all && (i >= config.unit_count || ok);
    }
    bool rule = config.abi == TW_ABI && config.unit_count >= 1 && config.unit_count <= TW_UNITS && site_is_ok && wish_is_ok && all;
    SHOW(unit_count, config.unit_count);
    HOLDS(tw_config_ok(&config) == rule, "accepted is what is accepted part by part");
    END;
}

/* Kept by every step, from the one after tw_init on: where the sum is that of the configuration and this is no cycle to look in
 * full, the configuration is one. */
static bool trusted(const tw_state_t *state)
{
    return state->config_sum != sum_now || state->cycle_count % CYCLES_UNCHECKED == 0U || config_is_ok;
}

void prove_still_accepted(void)
{
    tw_config_t config;
    config.unit_count = nondet_int32();
    sum_now = nondet_uint32();
    config_is_ok = nondet_bool();
    GIVEN(!config_is_ok || (config.unit_count >= 1 && config.unit_count <= TW_UNITS));
    tw_state_t state;
    state.config_sum = nondet_uint32();
    state.cycle_count = nondet_uint32();
    const tw_state_t before = state;
    GIVEN(trusted(&state));

    bool still = tw_config_still_ok(&config, &state);

    SHOW(config_sum, before.config_sum);
    SHOW(cycle_count, before.cycle_count);
    HOLDS(still == config_is_ok, "a step goes on exactly with a configuration that is accepted");
    HOLDS(still || state.config_sum == before.config_sum, "another one leaves the state alone");
    state.cycle_count += still ? 1U : 0U; /* as a step does: see `step` */
    HOLDS(trusted(&state), "and the next step may trust the sum again");
    END;
}

void prove_init(void)
{
    tw_config_t config = nondet_config();
    sum_now = nondet_uint32();
    config_is_ok = nondet_bool();
    tw_state_t state = nondet_state();

    int32_t status = tw_init(&config, &state);

    HOLDS(status == TW_OK || status == TW_BAD_CONFIG || status == TW_BAD_ABI, "the answer is one of three");
    HOLDS((status == TW_BAD_ABI) == (config.abi != TW_ABI), "another ABI is told as such");
    HOLDS(config.abi != TW_ABI || (status == TW_OK) == config_is_ok, "accepted is what is accepted in full");
    HOLDS(trusted(&state), "the first step may trust the sum");
    bool zero = state.active == 0U && state.latched == 0U && state.started == 0U && state.held == 0U && state.mode == TW_MODE_BOOT;
    for (int32_t i = 0; i < TW_UNITS; i++) {
        zero = zero && state.unit[i].setpoint_w == 0 && state.unit[i].latched == 0U && state.unit[i].active == 0U
            && state.unit[i].mode == TW_MODE_BOOT && state.unit[i].charge_limit_mw == 0
            && state.unit[i].discharge_limit_mw == 0 && state.unit[i].seen == 0U;
    }
    for (int32_t i = 0; i < TW_BANDPASSES; i++) {
        zero = zero && state.wish.band_slow[i][0] == 0 && state.wish.band_slow[i][1] == 0;
    }
    HOLDS(zero, "every unit begins in BOOT, with nothing set, nothing risen, nothing seen");
    END;
}

void prove_sum(void)
{
    tw_config_t config;
    config.unit_count = UNIT_COUNT;
    (void)config_sum(&config); /* the checks of CBMC are what is proved */
    END;
}
