/* One site in sub-millisecond physics and the real kernel: what the grid sees. Compiled and fed by smoothing.py; reads a
 * line of numbers and the load (double, W, every LOAD_MS) from stdin, prints the numbers of smoothing_metrics.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "smoothing_metrics.h"

enum { LOAD_MS = 10, RING = 8192, WRITES = 64 };

typedef struct { /* all from the first line of stdin, in this order */
    int cycle_ms, poc_age_ms, pcs_age_ms, age_jitter_ms, meter_ms, write_ms, dead_ms, tau_ms, error_permille, noise_w;
    int ramp_w_per_min, import_w, dead_time_given_ms, lost_at_ms, lost_ms, announce_at_ms, announce_w, measure_from_s;
    int poc_half_ms, verbose;
} setting_t;

typedef struct {
    double poc[RING], pcs[RING]; /* what the registers would show, by millisecond */
    double power_w, target_w, poc_sum, soc, energy_out_wh;
    double grid_past[RING];
    int write_at[WRITES], write_head, write_tail;
    double write_value[WRITES];
    unsigned seed;
} plant_t;

static double noise(plant_t *plant)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        plant->seed = plant->seed * 1664525u + 1013904223u;
        sum += (double)(plant->seed >> 8) / 16777216.0 - 0.5;
    }
    return sum * 1.732; /* standard deviation 1 */
}

static const double CAPACITY_WH = 2e6;
static const double LOSS = 0.025; /* each way */

static void physics(plant_t *plant, const setting_t *set, int t_ms, double load_w)
{
    while (plant->write_tail != plant->write_head && plant->write_at[plant->write_tail % WRITES] <= t_ms) {
        plant->target_w = plant->write_value[plant->write_tail % WRITES] * (1.0 - set->error_permille / 1000.0);
        plant->write_tail++;
    }
    plant->power_w += (plant->target_w - plant->power_w) / (set->tau_ms + 1);
    double grid_w = load_w - plant->power_w;
    double out_w = plant->power_w > 0 ? plant->power_w * (1 + LOSS) : plant->power_w * (1 - LOSS);
    plant->soc -= out_w / 3.6e6 / CAPACITY_WH;
    plant->energy_out_wh += plant->power_w > 0 ? plant->power_w / 3.6e6 : 0;
    plant->poc_sum += grid_w - plant->grid_past[(t_ms + RING - set->meter_ms) % RING];
    plant->grid_past[t_ms % RING] = grid_w;
    int filled = t_ms < set->meter_ms ? t_ms + 1 : set->meter_ms;
    plant->poc[t_ms % RING] = plant->poc_sum / filled;
    plant->pcs[t_ms % RING] = plant->power_w;
}

static int past(int t_ms, int age_ms)
{
    return ((t_ms - age_ms < 0 ? 0 : t_ms - age_ms)) % RING;
}

static void sense(plant_t *plant, const setting_t *set, int t_ms, tw_input_t *input)
{
    int jitter_ms = set->age_jitter_ms ? rand() % (2 * set->age_jitter_ms + 1) - set->age_jitter_ms : 0;
    tw_unit_input_t *unit = &input->unit[0];
    int lost = set->lost_ms > 0 && t_ms >= set->lost_at_ms && t_ms < set->lost_at_ms + set->lost_ms;
    input->mono_ms = t_ms + 1000000;
    if (!lost) {
        input->poc_age_ms = set->poc_age_ms + jitter_ms + set->poc_half_ms;
        input->poc_power_w = (int)(plant->poc[past(t_ms, set->poc_age_ms + jitter_ms)] + noise(plant) * set->noise_w);
    } else {
        input->poc_age_ms += set->cycle_ms;
    }
    unit->pcs_age_ms = set->pcs_age_ms + jitter_ms;
    unit->power_w = (int)plant->pcs[past(t_ms, unit->pcs_age_ms)];
    unit->power_at_poc_w = lost ? unit->power_at_poc_w : unit->power_w; /* the reading next to the meter's */
    unit->soc_cpct = (int)(plant->soc * 10000);
}

static void configure(tw_config_t *config, tw_input_t *input, const setting_t *set)
{
    *config = (tw_config_t){.abi = TW_ABI, .unit_count = 1, .cycle_ms = set->cycle_ms, .import_max_w = set->import_w,
        .fuse_max_w = 3000000, .export_max_w = 1000000, .setpoint_ramp_w_per_s = 20000000, .poc_age_fade_ms = 1500,
        .poc_age_max_ms = 10000, .boot_settle_ms = 1000, .reset_hold_ms = 5000, .connect_max_ms = 10000,
        .start_max_ms = 10000, .stop_max_ms = 10000, .cooldown_ms = 10000, .grid_return_ms = 1000, .io_age_max_ms = 2000};
    config->wish = (tw_wish_config_t){.ramp_up_max_w_per_s = set->ramp_w_per_min / 60, .ramp_down_max_w_per_s =
        set->ramp_w_per_min / 60, .dead_time_ms = set->dead_time_given_ms, .soc_target_cpct = 5500, .soc_band_cpct = 500};
    config->unit[0] = (tw_unit_config_t){.power_charge_max_w = 1000000, .power_discharge_max_w = 1000000,
        .reactive_max_var = 100000, .deviation_max_w = 500000, .soc_min_cpct = 1000, .soc_max_cpct = 9500, .soc_taper_cpct = 100,
        .soc_hysteresis_cpct = 100, .cell_voltage_dead_mv = 2000, .cell_voltage_trip_low_mv = 2500, .cell_voltage_min_mv = 2800,
        .cell_voltage_derate_low_mv = 2900, .cell_voltage_derate_high_mv = 3500, .cell_voltage_max_mv = 3600,
        .cell_voltage_trip_high_mv = 3700, .cell_voltage_hysteresis_mv = 50, .pack_voltage_trip_low_dv = 5000,
        .pack_voltage_min_dv = 6000, .pack_voltage_max_dv = 9000, .pack_voltage_trip_high_dv = 9500, .temp_min_dc = -200,
        .temp_charge_min_dc = 0, .temp_charge_derate_low_dc = 50, .temp_charge_derate_high_dc = 450, .temp_charge_max_dc = 500,
        .temp_derate_high_dc = 500, .temp_max_dc = 550, .temp_trip_dc = 600, .temp_hysteresis_dc = 30,
        .temp_rise_max_dc_per_min = 100, .cell_spread_warn_mv = 100, .cell_spread_derate_mv = 200, .cell_spread_trip_mv = 400,
        .temp_spread_warn_dc = 100, .temp_spread_derate_dc = 150, .temp_spread_trip_dc = 200, .insulation_warn_kohm = 100,
        .insulation_trip_kohm = 50, .limit_rise_w_per_s = 100000000, .bms_age_max_ms = 5000, .bms_age_stop_ms = 10000,
        .bms_age_open_ms = 60000, .heartbeat_max_ms = 60000, .pcs_age_max_ms = 5000, .pcs_age_stop_ms = 10000, .pcs_age_open_ms = 60000};
    *input = (tw_input_t){.commands = TW_COMMAND_RUN, .poc_voltage_dv = 2300, .poc_frequency_mhz = 50000};
    input->unit[0] = (tw_unit_input_t){.bms_age_ms = 300, .pcs_flags = TW_PCS_RUNNING | TW_PCS_GUARDED, .bms_flags =
        TW_BMS_CONNECTED | TW_BMS_GUARDED, .pcs_dc_voltage_dv = TW_UNKNOWN, .pack_voltage_dv = 7680, .soc_cpct = 5500,
        .current_charge_max_da = 20000, .current_discharge_max_da = 20000, .cell_voltage_min_mv = 3290, .cell_voltage_max_mv = 3300,
        .cell_temp_min_dc = 240, .cell_temp_max_dc = 260, .insulation_kohm = TW_UNKNOWN, .bms_heartbeat = TW_UNKNOWN};
}

static int read_setting(setting_t *set)
{
    int *field = (int *)set;
    for (size_t i = 0; i < sizeof *set / sizeof(int); i++) {
        if (scanf("%d", &field[i]) != 1) {
            return 0;
        }
    }
    return getchar() == '\n';
}

int main(void)
{
    static tw_config_t config;
    static tw_state_t state;
    static tw_input_t input;
    static tw_output_t output;
    static plant_t plant;
    setting_t set;
    int capacity = 1 << 21;
    double *load = malloc(sizeof(double) * (size_t)capacity);
    if (!load || !read_setting(&set)) {
        return 1;
    }
    int count = (int)fread(load, sizeof(double), (size_t)capacity, stdin);
    double *grid = malloc(sizeof(double) * (size_t)count);
    double *soc = malloc(sizeof(double) * (size_t)count);
    configure(&config, &input, &set);
    if (!grid || !soc || tw_init(&config, &state) != TW_OK) {
        fprintf(stderr, "configuration refused\n");
        return 2;
    }
    plant.soc = 0.55;
    plant.seed = 1;
    for (int t_ms = 0; t_ms < count * LOAD_MS; t_ms++) {
        int k = t_ms / LOAD_MS;
        double next_w = k + 1 < count ? load[k + 1] : load[k];
        double load_w = load[k] + (next_w - load[k]) * (t_ms % LOAD_MS) / LOAD_MS;
        physics(&plant, &set, t_ms, load_w);
        if (t_ms % set.cycle_ms == 0 && t_ms >= set.cycle_ms) {
            sense(&plant, &set, t_ms, &input);
            input.announcement[0] = (tw_announcement_t){set.announce_at_ms + 1000000, set.announce_w, 0};
            tw_step(&config, &state, &input, &output);
            plant.write_at[plant.write_head % WRITES] = t_ms + set.write_ms + set.dead_ms;
            plant.write_value[plant.write_head % WRITES] = output.unit[0].setpoint_w;
            plant.write_head++;
            if (set.verbose > 0 && t_ms % set.verbose == 0) {
                fprintf(stderr, "%.1f load %.0f grid %.0f batt %.0f ref %d gain %d/%d/%d distrust %d T %d Td %d fn %x\n", t_ms / 1000.0, load_w,
                    load_w - plant.power_w, plant.power_w, output.reference_w, state.wish.gain_permille[0],
                    state.wish.gain_permille[1], state.wish.blend_permille, state.wish.distrust_permille, output.period_ms,
                    output.dead_time_ms, output.functions);
            }
        }
        if (t_ms % LOAD_MS == 0) {
            grid[k] = load_w - plant.power_w;
            soc[k] = plant.soc;
        }
    }
    printf("lost_step_1s %.5f\n",
           lost_step(load, grid, count, LOAD_MS / 1000.0, set.lost_at_ms / 1000.0, set.lost_ms / 1000.0) / 1e6);
    metrics(load, grid, soc, count, set.measure_from_s, LOAD_MS / 1000.0, plant.energy_out_wh / CAPACITY_WH, &set.import_w);
    printf("dead_time_ms %d\nperiod_ms %d\n", output.dead_time_ms, output.period_ms);
    return 0;
}
