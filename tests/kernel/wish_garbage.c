/* Random bits in state and input, any view that the guard may show, any configuration that is accepted: nothing undefined happens (built with the
 * sanitizers) and every byte of the answer is written. Half of the runs let the state live on, as it would in a site. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"

static uint64_t seed;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void fill(void *at, size_t size)
{
    unsigned char *bytes = at;
    uint64_t kind = draw() % 4;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = kind == 0 ? 0xFF : kind == 1 && draw() % 3 ? 0 : (unsigned char)draw();
    }
}

static int32_t between(int32_t low, int32_t high)
{
    uint64_t kind = draw() % 4;
    return kind == 0 ? low : kind == 1 ? high : (int32_t)(low + (int64_t)(draw() % (uint64_t)((int64_t)high - low + 1)));
}

static tw_config_t config_of(void)
{
    tw_config_t config = {.abi = TW_ABI, .unit_count = between(1, TW_UNITS), .cycle_ms = between(50, 1000)};
    const int32_t most = TW_POWER_LIMIT_W;
    config.safe_grid = between(0, 3);
    config.wish = (tw_wish_config_t){
        between(0, most), between(0, most), between(0, 5000), between(0, 10000), between(0, 10000), between(0, 1),
        between(-most, most), between(0, most), 0, between(0, most), between(0, 100000), between(0, 100000),
        between(0, most), between(0, most), between(0, 1) ? between(100, 1000) : between(-1000, -100),
        between(0, 1000000), {between(0, 500), between(501, 900), between(901, 1200), between(1201, 2000)},
        {between(-1000, 1000), between(-1000, 1000), between(-1000, 1000), between(-1000, 1000)}, between(0, most),
        between(0, 86400000), between(0, 4000), between(4001, 10000), between(0, 86400000)};
    config.wish.recharge_w = config.wish.peak_shave_w / 2;
    for (int i = 0; i < config.unit_count; i++) {
        config.unit[i].power_charge_max_w = between(0, most);
        config.unit[i].power_discharge_max_w = between(0, most);
        config.unit[i].reactive_max_var = between(0, most);
    }
    return config;
}

/* What the guard promises of its view (door.h), and no more. */
static tw_view_t view_of(void)
{
    const int32_t most_w = 9 * TW_POWER_LIMIT_W;
    tw_view_t view;
    fill(&view, sizeof view);
    view.net_load_w = between(-most_w, most_w);
    view.before_w = between(-most_w, most_w);
    view.power_w = between(-most_w, most_w);
    view.band_min_w = between(-most_w, 0);
    view.band_max_w = between(0, most_w);
    view.dt_ms = between(0, 2000);
    view.pcs_age_ms = between(0, INT32_MAX);
    view.soc_cpct = between(0, 10000);
    view.usable = draw() % 4 != 0;
    view.measured = draw() % 4 != 0;
    view.full = draw() % 2;
    view.island = draw() % 8 == 0;
    return view;
}

int main(int argc, char **argv)
{
    const long runs = argc > 1 ? atol(argv[1]) : 1000;
    tw_wish_state_t state;
    tw_input_t input;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 88172645463325252ULL;
    fill(&state, sizeof state);
    for (long run = 0; run < runs; run++) {
        tw_config_t config = config_of();
        if (!tw_wish_config_ok(&config)) {
            printf("run %ld: refused\n", run);
            return 1;
        }
        if (run % 2) {
            fill(&state, sizeof state);
        }
        for (int cycle = 0; cycle < 8; cycle++) {
            fill(&input, sizeof input);
            tw_view_t view = view_of();
            tw_wish_state_t twin = state;
            tw_wish_t wish, other;
            memset(&wish, 0x55, sizeof wish);
            memset(&other, 0xAA, sizeof other);
            tw_wish(&config, &state, &input, &view, &wish);
            tw_wish(&config, &twin, &input, &view, &other);
            if (memcmp(&wish, &other, sizeof wish) || memcmp(&state, &twin, sizeof state)) {
                printf("run %ld cycle %d: not all is written, or not by its inputs alone\n", run, cycle);
                return 1;
            }
        }
    }
    return 0;
}
