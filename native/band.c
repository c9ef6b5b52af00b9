/* The battery power of the site: wish, fade, ramp, site band, unit band, in this order, so that the last word is always what the
 * units may do. Net load is what the grid would see without the battery: at most nine times TW_POWER_LIMIT_W, so that
 * every sum here fits 32 bits. */
#include "inner.h"

static int32_t net_load_w(const tw_config_t *config, const tw_input_t *input, const tw_facts_t *facts)
{
    int32_t net_w = tw_power(input->poc_power_w);
    for (int32_t i = 0; i < config->unit_count; i++) {
        net_w += facts[i].pcs_fresh ? tw_power(input->unit[i].power_at_poc_w) : 0;
    }
    return net_w;
}

static void report_band(tw_output_t *output, int32_t band, int32_t low_w, int32_t high_w)
{
    output->low_after_w[band] = low_w;
    output->high_after_w[band] = high_w;
}

void tw_site_band(const tw_config_t *config, const tw_input_t *input, const tw_facts_t *facts, tw_output_t *output)
{
    int32_t low_w = 0;
    int32_t high_w = 0;
    for (int32_t i = 0; i < config->unit_count; i++) {
        low_w -= output->unit[i].charge_max_w;
        high_w += output->unit[i].discharge_max_w;
    }
    int32_t net_w = net_load_w(config, input, facts);
    output->net_load_w = net_w;
    output->band_min_w = low_w;
    output->band_max_w = high_w;
    output->why |= low_w == 0 && high_w == 0 ? TW_SITE_BIT(NO_UNIT) : 0U;
    report_band(output, TW_BAND_UNITS, low_w, high_w);
    high_w = tw_least(high_w, net_w + config->export_max_w);
    report_band(output, TW_BAND_EXPORT, low_w, high_w);
    low_w = tw_most(low_w, net_w - config->import_max_w);
    report_band(output, TW_BAND_IMPORT, low_w, high_w);
    low_w = tw_most(low_w, net_w - config->fuse_max_w);
    report_band(output, TW_BAND_FUSE, low_w, high_w);
}

static int32_t into_site(const tw_config_t *config, const tw_output_t *output, int32_t battery_w)
{
    int32_t most_w = tw_least(config->import_max_w, config->fuse_max_w);
    return tw_clamp(battery_w, output->net_load_w - most_w, output->net_load_w + config->export_max_w);
}

static int32_t into_units(const tw_output_t *output, int32_t battery_w)
{
    return tw_clamp(battery_w, output->band_min_w, output->band_max_w);
}

/* A meter that is growing old: towards 0 at a quarter of the ratings a second, whatever is wished. A bound: no ramp holds it up. */
static int32_t fade(const tw_config_t *config, int32_t before_w, int32_t dt_ms)
{
    int32_t rating_w = 0;
    for (int32_t i = 0; i < config->unit_count; i++) {
        rating_w += tw_most(config->unit[i].power_charge_max_w, config->unit[i].power_discharge_max_w);
    }
    int32_t step_w = tw_clamp(tw_part(rating_w / 4, dt_ms, 1000), 0, TW_BATTERY_LIMIT_W);
    return before_w < 0 ? tw_least(before_w + step_w, 0) : tw_most(before_w - step_w, 0);
}

static int32_t ramp(const tw_config_t *config, int32_t from_w, int32_t to_w, int32_t dt_ms)
{
    int32_t step_w = tw_clamp(tw_part(config->setpoint_ramp_w_per_s, dt_ms, 1000), 0, 2 * TW_POWER_LIMIT_W);
    return tw_clamp(to_w, from_w - step_w, from_w + step_w);
}

static uint32_t why_site(const tw_config_t *config, int32_t before_w, int32_t after_w)
{
    if (after_w > before_w) {
        return config->fuse_max_w < config->import_max_w ? TW_SITE_BIT(FUSE_LIMIT) : TW_SITE_BIT(IMPORT_LIMIT);
    }
    return after_w < before_w ? TW_SITE_BIT(EXPORT_LIMIT) : 0U;
}

static uint32_t why_units(int32_t before_w, int32_t after_w)
{
    if (after_w > before_w) {
        return TW_SITE_BIT(CHARGE_BOUND);
    }
    return after_w < before_w ? TW_SITE_BIT(DISCHARGE_BOUND) : 0U;
}

/* asked_w: any bits; before_w: within +-TW_BATTERY_LIMIT_W. */
void tw_battery_power(const tw_config_t *config, const tw_state_t *state, const tw_cycle_t *cycle, int32_t asked_w,
                      int32_t before_w, tw_output_t *output)
{
    int32_t *stage_w = output->stage_w;
    int32_t wish_w = tw_clamp(asked_w, -TW_BATTERY_LIMIT_W, TW_BATTERY_LIMIT_W);
    output->wish_w = stage_w[TW_STAGE_WISH] = wish_w;
    if (!cycle->usable) {
        stage_w[TW_STAGE_FADE] = stage_w[TW_STAGE_RAMP] = 0;
        stage_w[TW_STAGE_SITE_BAND] = stage_w[TW_STAGE_UNIT_BAND] = output->battery_w = 0;
        return;
    }
    bool fades = (state->active & TW_SITE_BIT(POC_FADE)) != 0U;
    int32_t faded_w = fades ? fade(config, before_w, cycle->dt_ms) : wish_w;
    int32_t home_w = into_units(output, into_site(config, output, before_w));
    int32_t ramped_w = fades ? faded_w : ramp(config, home_w, faded_w, cycle->dt_ms);
    int32_t site_w = into_site(config, output, ramped_w);
    int32_t battery_w = into_units(output, site_w);
    output->why |= ramped_w != faded_w ? TW_SITE_BIT(RAMP) : 0U;
    output->why |= why_site(config, ramped_w, site_w) | why_units(site_w, battery_w);
    stage_w[TW_STAGE_FADE] = faded_w;
    stage_w[TW_STAGE_RAMP] = ramped_w;
    stage_w[TW_STAGE_SITE_BAND] = site_w;
    stage_w[TW_STAGE_UNIT_BAND] = output->battery_w = battery_w;
}
