/* Reactive power: volt-var if the voltage is known and a curve is set, else a fixed power factor of the battery. */
#include "wish.h"

#define ONE 1000 /* permille */

/* The curve: straight between its four points, flat outside. */
static int32_t volt_var_permille(const tw_wish_config_t *config, int32_t voltage_permille)
{
    const int32_t *at = config->var_voltage_permille;
    const int32_t *value = config->var_permille;
    if (voltage_permille <= at[0]) {
        return value[0];
    }
    for (int32_t i = 1; i < 4; i++) {
        if (voltage_permille < at[i]) { /* so at[i] > at[i - 1] */
            return value[i - 1] + (value[i] - value[i - 1]) * (voltage_permille - at[i - 1]) / (at[i] - at[i - 1]);
        }
    }
    return value[3];
}

/* The largest integer whose square is at most value; value <= 1 000 000. */
static int32_t square_root(int32_t value)
{
    int32_t root = 0;
    for (int32_t bit = 512; bit > 0; bit /= 2) {
        int32_t next = root + bit;
        root = next * next <= value ? next : root;
    }
    return root;
}

/* tan(arccos(factor)) of the power, as a part of what the units can; positive factors supply. */
static int32_t factor_permille(const tw_now_t *now, int64_t battery_w)
{
    int64_t factor = now->config->wish.power_factor_permille;
    int64_t size = tw_size(factor);
    int64_t reactive_max_var = 0;
    for (int32_t i = 0; i < now->config->unit_count && i < TW_UNITS; i++) {
        reactive_max_var += now->config->unit[i].reactive_max_var;
    }
    if (reactive_max_var <= 0) {
        return 0;
    }
    int64_t reactive_var = tw_size(battery_w) * square_root((int32_t)(ONE * ONE - size * size)) / size;
    int32_t part = tw_within32(reactive_var * ONE / reactive_max_var, 0, ONE);
    return factor > 0 ? part : -part;
}

int32_t tw_reactive_permille(const tw_now_t *now, int64_t battery_w, tw_wish_t *wish)
{
    const tw_wish_config_t *config = &now->config->wish;
    int32_t part = 0;
    if (config->voltage_nominal_dv > 0 && now->input->poc_voltage_dv != TW_UNKNOWN && now->measured) {
        int64_t voltage_dv = tw_within(now->input->poc_voltage_dv, 0, 1000000);
        part = volt_var_permille(config, tw_within32(voltage_dv * ONE / config->voltage_nominal_dv, 0, 2 * ONE));
    } else if (config->power_factor_permille != 0) {
        part = factor_permille(now, tw_within(battery_w, -TW_LOAD_LIMIT_W, TW_LOAD_LIMIT_W));
    }
    wish->functions |= part != 0 ? 1U << TW_FUNCTION_REACTIVE : 0U;
    return part;
}
