/* The one ABI text of the kernel: declarations only, read verbatim as the cffi cdef (so: no #if, no #include, no
 * static, and #define with a plain integer only). kernel.h wraps it for C. A change here is a change of TW_ABI.
 *
 * Signs: grid + import, battery + discharge, PV + production, load + consumption, reactive + supplied by the site.
 * Units are the last word of each name: w, dv (0.1 V), da (0.1 A), mv, dc (0.1 degC), cpct (0.01 %), mhz, kohm, ms.
 * An age is the time since the value was taken; TW_AGE_NEVER, and any negative one, means it was never seen. Causes,
 * functions and stages are indices; a set of them is a mask of 1 << index. What each means: deploy/handbook/kernel.md.
 */

#define TW_ABI 3
#define TW_UNITS 8
#define TW_AGE_NEVER 2147483647
#define TW_POWER_LIMIT_W 100000000
#define TW_UNKNOWN -2147483647 /* a value that the device does not supply; never a measured one */
#define TW_METER_UNSURE -1 /* as dead_time_ms: how long the POC meter averages is not known, or too long: no fast part */
#define TW_ANNOUNCEMENTS 4
#define TW_LAGS 64     /* periods the predictor can see, in cycles */
#define TW_DELAYS 20   /* delays the dead-time meter can see, in cycles */
#define TW_RING 32     /* cycles an estimate can wait for its proof */
#define TW_SCORES 6    /* what the governor compares */
#define TW_BANDPASSES 3 /* of load, prediction and grid */
#define TW_HOURLY 3    /* unit causes that latch at the third time within an hour */

/* ---- words ------------------------------------------------------------------------------------------------- */

enum tw_mode { /* of a unit, and of the site: the first of its units in the order of handbook/kernel.md */
    TW_MODE_BOOT, TW_MODE_INIT, TW_MODE_STANDBY, TW_MODE_CONNECT, TW_MODE_START, TW_MODE_RUN, TW_MODE_STOPPING,
    TW_MODE_FAULT, TW_MODE_ESTOP, TW_MODE_LOCAL, TW_MODE_SERVICE, TW_MODE_ISLAND, TW_MODES
};

enum tw_event { /* one a cycle and unit: the first of these that is true */
    TW_EVENT_ESTOP, TW_EVENT_SERVICE, TW_EVENT_LOCAL, TW_EVENT_TRIP, TW_EVENT_HALT, TW_EVENT_STOP, TW_EVENT_ISLAND,
    TW_EVENT_GRID_LOST, TW_EVENT_DONE, TW_EVENT_TIMEOUT, TW_EVENT_GO, TW_EVENT_NONE, TW_EVENTS
};

enum tw_order { /* what a unit must be told; the field writes a command only when the device is not already there */
    TW_ORDER_NONE, TW_ORDER_CONNECT, TW_ORDER_START, TW_ORDER_STOP, TW_ORDER_OPEN, TW_ORDER_ISLAND
};

enum tw_command { /* tw_input_t.commands */
    TW_COMMAND_RUN = 1,       /* somebody with the right to do so wants the site to run */
    TW_COMMAND_HOLD = 2,      /* 0 kW and STANDBY until resumed */
    TW_COMMAND_SERVICE = 4,
    TW_COMMAND_RESET = 8,     /* rising edge: clear latches whose cause is gone */
    TW_COMMAND_ESTOP = 16,    /* emergency stop seen by the software (the hard-wired one acts by itself) */
    TW_COMMAND_CALIBRATE = 32 /* charge to the very top once */
};

enum tw_pcs_flag {
    TW_PCS_FAULT = 1, TW_PCS_RUNNING = 2, TW_PCS_LOCAL = 4, TW_PCS_ESTOP = 8,
    TW_PCS_GUARDED = 16,      /* its comm-loss timer was written and read back */
    TW_PCS_WRITE_FAILED = 32, /* a setpoint was not read back three times running */
    TW_PCS_ISLANDED = 64      /* it forms the grid of the site by itself */
};

enum tw_bms_flag {
    TW_BMS_CONNECTED = 1, /* main contactor closed, precharge done */
    TW_BMS_ALARM = 2,     /* the EMS must stop the PCS */
    TW_BMS_TRIP = 4,      /* the BMS opens its contactor itself */
    TW_BMS_CHARGE_FORBIDDEN = 8, TW_BMS_DISCHARGE_FORBIDDEN = 16, TW_BMS_GUARDED = 32
};

enum tw_site_flag { /* tw_input_t.flags: what the remote I/O and the site's own watchers report */
    TW_SITE_ESTOP = 1, TW_SITE_SMOKE_1 = 2, TW_SITE_SMOKE_2 = 4, TW_SITE_WATER = 8, TW_SITE_DOOR = 16,
    TW_SITE_AIRCON = 32,          /* air conditioning failed */
    TW_SITE_SURGE = 64,           /* surge arrester spent */
    TW_SITE_LOCAL = 128,          /* key switch on local */
    TW_SITE_GRID_LOST = 256,      /* a grid monitor says so; the meter's own voltage counts besides */
    TW_SITE_CHANGED = 512,        /* configuration or profiles are not those that were last acknowledged */
    TW_SITE_SELF_TEST = 1024,     /* the start-up test of the kernel failed */
    TW_SITE_GENSET_ON = 2048
};

enum tw_level { /* what a cause does while it is active, from nothing to most */
    TW_LEVEL_INFO, TW_LEVEL_WARN, TW_LEVEL_DERATE, TW_LEVEL_NO_CHARGE, TW_LEVEL_NO_DISCHARGE, TW_LEVEL_ZERO,
    TW_LEVEL_STOP, TW_LEVEL_OPEN
};
enum tw_latch { TW_LATCH_NO, TW_LATCH_YES, TW_LATCH_HOURLY }; /* HOURLY: at the third time within an hour */
enum tw_reset { TW_RESET_AUTO, TW_RESET_CONSOLE, TW_RESET_SERVICE };

enum tw_site_cause {
    TW_SITE_C_BOOT, TW_SITE_C_NOT_ASKED, TW_SITE_C_HOLD, TW_SITE_C_SERVICE, TW_SITE_C_ESTOP, TW_SITE_C_SMOKE,
    TW_SITE_C_SMOKE_WARN, TW_SITE_C_WATER, TW_SITE_C_DOOR, TW_SITE_C_AIRCON, TW_SITE_C_SURGE, TW_SITE_C_IO_STALE,
    TW_SITE_C_POC_STALE, TW_SITE_C_POC_FADE, TW_SITE_C_CLOCK, TW_SITE_C_OVERRUN, TW_SITE_C_CONFIG,
    TW_SITE_C_CHANGED, TW_SITE_C_SELF_TEST, TW_SITE_C_GRID_LOST, TW_SITE_C_GRID_WAIT, TW_SITE_C_LOCAL,
    TW_SITE_C_LATCHED, TW_SITE_C_NO_UNIT, TW_SITE_C_IMPORT_LIMIT, TW_SITE_C_FUSE_LIMIT, TW_SITE_C_EXPORT_LIMIT,
    TW_SITE_C_RAMP, TW_SITE_C_CHARGE_BOUND, TW_SITE_C_DISCHARGE_BOUND, TW_SITE_C_WISH_EXPIRED,
    TW_SITE_C_PV_CURTAILED, TW_SITE_CAUSES
};

enum tw_unit_cause {
    TW_UNIT_C_BMS_STALE, TW_UNIT_C_BMS_LOST, TW_UNIT_C_BMS_GONE, TW_UNIT_C_BMS_FROZEN, TW_UNIT_C_PCS_STALE,
    TW_UNIT_C_PCS_LOST, TW_UNIT_C_PCS_GONE, TW_UNIT_C_PCS_FAULT, TW_UNIT_C_PCS_LOCAL, TW_UNIT_C_PCS_STOPPED,
    TW_UNIT_C_BMS_OPEN, TW_UNIT_C_UNGUARDED, TW_UNIT_C_WRITE_FAILED, TW_UNIT_C_BMS_ALARM, TW_UNIT_C_BMS_TRIP,
    TW_UNIT_C_CHARGE_FORBIDDEN, TW_UNIT_C_DISCHARGE_FORBIDDEN, TW_UNIT_C_VALUE_MISSING, TW_UNIT_C_SOC_LOW,
    TW_UNIT_C_SOC_HIGH, TW_UNIT_C_RESERVE, TW_UNIT_C_CELL_VOLTAGE_LOW, TW_UNIT_C_CELL_VOLTAGE_HIGH,
    TW_UNIT_C_CELL_VOLTAGE_TRIP, TW_UNIT_C_CELL_DEAD, TW_UNIT_C_PACK_VOLTAGE_LOW, TW_UNIT_C_PACK_VOLTAGE_HIGH,
    TW_UNIT_C_PACK_VOLTAGE_TRIP, TW_UNIT_C_TEMP_LOW_CHARGE, TW_UNIT_C_TEMP_LOW, TW_UNIT_C_TEMP_HIGH_CHARGE,
    TW_UNIT_C_TEMP_HIGH, TW_UNIT_C_TEMP_TRIP, TW_UNIT_C_TEMP_RISE, TW_UNIT_C_CELL_SPREAD_WARN,
    TW_UNIT_C_CELL_SPREAD, TW_UNIT_C_CELL_SPREAD_TRIP, TW_UNIT_C_TEMP_SPREAD_WARN, TW_UNIT_C_TEMP_SPREAD,
    TW_UNIT_C_TEMP_SPREAD_TRIP, TW_UNIT_C_OVERCURRENT, TW_UNIT_C_OVERCURRENT_FAST, TW_UNIT_C_INSULATION_WARN,
    TW_UNIT_C_INSULATION, TW_UNIT_C_CONNECT_FAILED, TW_UNIT_C_START_FAILED, TW_UNIT_C_STOP_FAILED,
    TW_UNIT_C_DEVIATION, TW_UNIT_C_WRONG_SIGN, TW_UNIT_C_DISAGREE, TW_UNIT_C_LATCHED, TW_UNIT_C_COOLDOWN,
    TW_UNIT_CAUSES
};

enum tw_bound { /* what narrows one unit's band, in this order; tw_unit_output_t.charge_after_w, discharge_after_w */
    TW_BOUND_RATING, TW_BOUND_BMS_CURRENT, TW_BOUND_CELL_VOLTAGE, TW_BOUND_TEMP, TW_BOUND_SOC, TW_BOUND_DERATE,
    TW_BOUND_FORBIDDEN, TW_BOUND_RISE, TW_BOUNDS
};
enum tw_band { /* what narrows the site's band, in this order; tw_output_t.low_after_w, high_after_w */
    TW_BAND_UNITS, TW_BAND_EXPORT, TW_BAND_IMPORT, TW_BAND_FUSE, TW_BANDS
};
enum tw_stage { /* the battery power after each step of its making; tw_output_t.stage_w */
    TW_STAGE_ASKED, TW_STAGE_SHAVED, TW_STAGE_CENTRED, TW_STAGE_DROOP, TW_STAGE_SMOOTHED, TW_STAGE_WISH,
    TW_STAGE_FADE, TW_STAGE_RAMP, TW_STAGE_SITE_BAND, TW_STAGE_UNIT_BAND, TW_STAGES
};
enum tw_function { /* site functions that shape the wish now; tw_output_t.functions */
    TW_FUNCTION_PLAN, TW_FUNCTION_MANUAL, TW_FUNCTION_SELF_CONSUMPTION, TW_FUNCTION_PEAK_SHAVING,
    TW_FUNCTION_RECHARGE, TW_FUNCTION_DEMAND_WINDOW, TW_FUNCTION_POC_RAMP, TW_FUNCTION_CENTRING,
    TW_FUNCTION_DROOP, TW_FUNCTION_FEED_FORWARD, TW_FUNCTION_PREDICTOR, TW_FUNCTION_ANNOUNCED,
    TW_FUNCTION_GOVERNED, /* the fast gain is cut: it would do harm */
    TW_FUNCTION_CALIBRATION, TW_FUNCTION_REACTIVE, TW_FUNCTIONS
};
enum tw_signal { /* tw_output_t.signals: requests to equipment outside */
    TW_SIGNAL_ISLAND = 1, TW_SIGNAL_GENSET = 2, TW_SIGNAL_CALIBRATED = 4
};
enum tw_wish_kind { TW_WISH_NONE, TW_WISH_BATTERY, TW_WISH_GRID, TW_WISH_MANUAL };
enum tw_safe { TW_SAFE_ZERO, TW_SAFE_HOLD, TW_SAFE_ISLAND, TW_SAFE_WARN };

/* ---- config: written once, before tw_init ------------------------------------------------------------------- */

typedef struct {
    int32_t power_charge_max_w; /* PCS rating, >= 0 */
    int32_t power_discharge_max_w;
    int32_t power_efficient_min_w; /* a unit with less than this to do is not used while another can do it */
    int32_t reactive_max_var;
    int32_t deviation_max_w;       /* measured power may differ from the setpoint by this, see handbook */
    int32_t soc_min_cpct, soc_max_cpct, soc_reserve_cpct, soc_taper_cpct, soc_hysteresis_cpct;
    int32_t cell_voltage_dead_mv;  /* never charged again by itself */
    int32_t cell_voltage_trip_low_mv, cell_voltage_min_mv, cell_voltage_derate_low_mv;
    int32_t cell_voltage_derate_high_mv, cell_voltage_max_mv, cell_voltage_trip_high_mv, cell_voltage_hysteresis_mv;
    int32_t pack_voltage_trip_low_dv, pack_voltage_min_dv, pack_voltage_max_dv, pack_voltage_trip_high_dv;
    int32_t temp_min_dc, temp_charge_min_dc, temp_charge_derate_low_dc; /* below: no power, no charge, less charge */
    int32_t temp_charge_derate_high_dc, temp_charge_max_dc, temp_derate_high_dc, temp_max_dc, temp_trip_dc;
    int32_t temp_hysteresis_dc, temp_rise_max_dc_per_min;
    int32_t cell_spread_warn_mv, cell_spread_derate_mv, cell_spread_trip_mv;
    int32_t temp_spread_warn_dc, temp_spread_derate_dc, temp_spread_trip_dc;
    int32_t insulation_warn_kohm, insulation_trip_kohm;
    int32_t limit_rise_w_per_s; /* limits fall at once and rise this slowly */
    int32_t bms_age_max_ms, bms_age_stop_ms, bms_age_open_ms, heartbeat_max_ms;
    int32_t pcs_age_max_ms, pcs_age_stop_ms, pcs_age_open_ms;
} tw_unit_config_t;

typedef struct { /* the clever half's; whatever stands here, the guard holds */
    int32_t ramp_up_max_w_per_s, ramp_down_max_w_per_s; /* of the power at the POC; 0 = no ramp limit, no smoothing */
    int32_t dead_time_ms;          /* meter to AC power, until it has been measured; 0 = not known; or TW_METER_UNSURE */
    int32_t soc_target_cpct, soc_band_cpct; /* centring; target 0 = where the last plan left it; band 0 = off */
    int32_t self_consumption;      /* 1: hold the grid at grid_target_w */
    int32_t grid_target_w;
    int32_t peak_shave_w;          /* 0 = off */
    int32_t recharge_w;            /* the grid may be raised to this to recharge; 0 = off */
    int32_t demand_max_w;          /* average of the billing window; 0 = off */
    int32_t frequency_nominal_mhz; /* 0 = no droop */
    int32_t droop_deadband_mhz, droop_w_per_hz, droop_max_w;
    int32_t power_factor_permille; /* fixed power factor, signed; 0 = off */
    int32_t voltage_nominal_dv;    /* 0 = no volt-var */
    int32_t var_voltage_permille[4], var_permille[4]; /* ascending voltages; of the units' reactive_max_var */
    int32_t calibrate_w, calibrate_hold_ms;
    int32_t genset_start_soc_cpct, genset_stop_soc_cpct, genset_min_run_ms; /* start 0 = no genset */
} tw_wish_config_t;

typedef struct {
    uint32_t abi;                /* TW_ABI */
    int32_t unit_count, cycle_ms; /* 1..TW_UNITS, 50..1000 */
    int32_t import_max_w;        /* contract; >= 0 */
    int32_t fuse_max_w;          /* what the fuse carries; >= 0 */
    int32_t export_max_w;        /* >= 0; 0 is zero export */
    int32_t setpoint_ramp_w_per_s; /* of the battery as a whole, unless a limit forbids */
    int32_t pv_rated_w;          /* 0 = no curtailable PV */
    int32_t pv_lost_max_w;       /* PV limit while the POC meter is lost */
    int32_t poc_age_fade_ms;     /* older: the battery fades to 0 at a quarter of its rating a second */
    int32_t poc_age_max_ms;      /* older: 0 kW */
    int32_t voltage_min_dv, voltage_max_dv;     /* of the grid, line to neutral, outside: lost; 0 = not watched */
    int32_t frequency_min_mhz, frequency_max_mhz; /* 0 = not watched */
    int32_t grid_return_ms;      /* the grid must have been good for this long */
    int32_t io_required;         /* 1: there is a remote I/O and its silence counts */
    int32_t io_age_max_ms;
    int32_t boot_settle_ms, reset_hold_ms;
    int32_t connect_max_ms, start_max_ms, stop_max_ms, cooldown_ms;
    int32_t safe_poc, safe_grid, safe_door; /* enum tw_safe: ZERO or HOLD; ZERO, HOLD or ISLAND; WARN, ZERO or HOLD */
    tw_wish_config_t wish;
    tw_unit_config_t unit[TW_UNITS];
} tw_config_t;

/* ---- input: the image of this cycle ------------------------------------------------------------------------- */

typedef struct {
    int32_t pcs_age_ms, bms_age_ms;
    uint32_t pcs_flags, bms_flags;
    int32_t power_w;             /* measured by the PCS at its AC side */
    int32_t pcs_dc_voltage_dv;   /* or TW_UNKNOWN */
    int32_t pack_voltage_dv, pack_current_da; /* + discharge */
    int32_t soc_cpct;
    int32_t current_charge_max_da, current_discharge_max_da; /* >= 0, what the BMS allows now */
    int32_t cell_voltage_min_mv, cell_voltage_max_mv;
    int32_t cell_temp_min_dc, cell_temp_max_dc;
    int32_t insulation_kohm;     /* or TW_UNKNOWN */
    int32_t bms_heartbeat;       /* a counter of the BMS, or TW_UNKNOWN */
    int32_t power_at_poc_w;      /* power_w as it was when the POC meter was read: the two belong together */
} tw_unit_input_t;

typedef struct { /* the load will change by delta_w at this time; 0 W = empty */
    int64_t at_mono_ms;
    int32_t delta_w, reserved;
} tw_announcement_t;

typedef struct {
    int64_t mono_ms;
    uint32_t commands, flags;
    int32_t io_age_ms;
    int32_t wish_kind, wish_w, wish_left_ms; /* what somebody wishes, and what is left of its lease */
    int32_t poc_power_w, poc_age_ms;
    int32_t poc_voltage_dv, poc_frequency_mhz; /* or TW_UNKNOWN */
    int32_t load_power_w, load_age_ms;         /* IT meter */
    int32_t pv_power_w, pv_age_ms;
    int32_t window_left_ms;      /* to the end of the billing window; <= 0 = not known */
    int32_t billed_peak_w;       /* highest window average of this billing period so far */
    tw_announcement_t announcement[TW_ANNOUNCEMENTS];
    tw_unit_input_t unit[TW_UNITS];
} tw_input_t;

/* ---- state: owned by the caller, written by tw_init and tw_step only ---------------------------------------- */

typedef struct {
    uint64_t active, latched;    /* sets of tw_unit_cause */
    int64_t charge_limit_mw, discharge_limit_mw; /* risen so far, in milliwatts: slow rises stay exact */
    int32_t timer_ms[TW_UNIT_CAUSES]; /* of on-delay while inactive, of off-delay while active */
    int32_t recent_ms[TW_HOURLY][2]; /* time since the last and the last but one */
    int32_t clear_ms;            /* how long no latching cause has been present */
    int32_t fresh_ms;            /* how long its devices and the POC meter have all been fresh */
    uint32_t mode;
    int32_t mode_ms, cooldown_ms, tries;
    int32_t setpoint_w;
    int32_t heartbeat, heartbeat_ms;
    int32_t temp_then_dc, temp_then_ms; /* the warmest cell a minute ago: see handbook */
    uint32_t seen;               /* 1: the BMS has answered once, 2: the PCS */
} tw_unit_state_t;

typedef struct { /* the clever half's; the guard never reads it */
    int64_t mean_mw, slow_mw, slower_mw; /* low-passed net load: 60 s; 8 s once, and twice */
    int64_t reference_mw, trim_mw, held_mw; /* held: what a change of gain would have made jump */
    int64_t window_mj;                   /* grid energy of this billing window so far, in watt-milliseconds */
    int64_t announced_until_mono_ms;     /* announcements up to this time have been acted on */
    int64_t setpoint_slow_mw, power_slow_mw; /* see deadtime.c */
    uint64_t delay_error[TW_DELAYS];     /* setpoint against measured power, by delay */
    int64_t disagreement;                /* mean square of now less one period before */
    int32_t score_short[TW_SCORES], score_long[TW_SCORES]; /* mean products of bands: see governor.c */
    int32_t lag_mean[TW_LAGS];           /* autocorrelation */
    int32_t setpoint_then_w[2 * TW_DELAYS], power_then_w[2 * TW_DELAYS]; /* each twice, so that it reads in one piece */
    int32_t band_slow[TW_BANDPASSES][2]; /* the two filters of each band: see governor.c */
    int16_t history[2 * TW_LAGS];        /* net load less `slower`, scaled; each twice, so that it reads in one piece */
    int16_t load_then[TW_RING], predicted_then[TW_RING]; /* their bands */
    int32_t setpoint_index, power_index, history_index, ring_index;
    int32_t gain_permille[2], blend_permille, distrust_permille; /* direct, predicted; from one to the other */
    int32_t applied_short, applied_long; /* the gain that was applied, low-passed; 1/256 permille */
    int32_t load_usual, load_asked, asking_ms, locked_ms; /* does the load swing by itself? see doubt.c */
    int32_t period_q8, seek_lag, seek_low, seek_best, seek_period_q8; /* 1/256 of a cycle; the search for it */
    int32_t innovation;
    int32_t actuation_q8_ms, poc_age_q8_ms, delay_count, steps_w, sizes_w; /* see deadtime.c; 1/256 ms */
    int32_t announced_w, announced_base_w, announced_left_ms;
    int32_t window_before_ms, genset_ms, calibrate_ms;
    uint32_t flags;
    int32_t anchor_cpct;                 /* SOC at which the last plan left the battery */
    int32_t seen_ms;                     /* how long a load has been seen: young low-passes are quick */
} tw_wish_state_t;

typedef struct {
    int64_t mono_ms, first_out_mono_ms;
    uint32_t started, commands;  /* commands of the last cycle, for edges */
    uint32_t active, latched;    /* sets of tw_site_cause */
    int32_t timer_ms[TW_SITE_CAUSES];
    int32_t overrun_recent_ms[2], clear_ms, grid_good_ms;
    uint32_t held, mode;         /* held: a safe action HOLD, or the end of an emergency, waits for a reset */
    int32_t first_out, first_out_unit; /* index of a cause, -1: none; unit -1: a cause of the site */
    uint32_t cycle_count, sharing; /* units that share the power now */
    int32_t pv_limit_w;
    uint32_t config_sum;         /* of the configuration that was last found to be one */
    tw_wish_state_t wish;
    tw_unit_state_t unit[TW_UNITS];
} tw_state_t;

/* ---- output ------------------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t why, latched;       /* sets of tw_unit_cause */
    int32_t setpoint_w;
    int32_t charge_max_w, discharge_max_w; /* >= 0: the band of this unit is [-charge_max_w, discharge_max_w] */
    int32_t reactive_var;
    uint32_t order, mode, event, reserved;
    int32_t charge_after_w[TW_BOUNDS], discharge_after_w[TW_BOUNDS];
} tw_unit_output_t;

typedef struct { /* what crosses the door from wish to guard: any bits at all */
    int32_t battery_w, reactive_permille, reference_w;
    uint32_t functions, signals;
    int32_t dead_time_ms, period_ms, gain_permille;
    int32_t stage_w[TW_STAGES];
} tw_wish_t;

typedef struct {
    int64_t mono_ms, first_out_mono_ms;
    uint32_t cycle_count, mode, why, latched, functions, signals;
    int32_t battery_w;           /* sum of the setpoints */
    int32_t band_min_w, band_max_w; /* of all units together */
    int32_t wish_w;              /* what the clever half wanted */
    int32_t net_load_w;          /* poc + battery: what the grid would see without the battery */
    int32_t reference_w;         /* where smoothing wants the grid */
    int32_t pv_limit_w, reactive_permille, reserved;
    int32_t dead_time_ms, period_ms, gain_permille; /* of the smoothing, as measured; 0 = not known */
    int32_t first_out, first_out_unit;
    int32_t low_after_w[TW_BANDS], high_after_w[TW_BANDS], stage_w[TW_STAGES];
    tw_unit_output_t unit[TW_UNITS];
} tw_output_t;

/* ---- gate: the last look before the wire -------------------------------------------------------------------- */

enum tw_gate_kind {
    TW_GATE_VALUE, /* value_min..value_max is all */
    TW_GATE_POWER, /* and value * scale_w inside the unit's band of the last output; value 0 always passes */
    TW_GATE_ORDER  /* and the unit's order of the last output is `order` */
};

typedef struct {
    uint8_t port_index, address, function, kind; /* function 5, 6, 15 or 16 */
    uint16_t reg, count;   /* wire address; registers: exactly this many */
    int32_t value_min, value_max; /* of the value as written, sign-extended */
    int32_t scale_w;       /* POWER: watts per count, with the sign to + discharge; 0: only value 0 */
    int32_t unit_index;    /* -1: of no unit, then `modes` are of the site */
    uint32_t modes;        /* set of tw_mode in which it may be written; value 0 of POWER passes in all */
    int32_t order;
    int32_t interval_ms;   /* not again within this time; value 0 of POWER passes all the same */
} tw_gate_rule_t;

typedef struct {
    uint8_t port_index, address, function, reserved;
    uint16_t reg, count;
    int32_t value, reserved_2;
    int64_t mono_ms;
} tw_write_t;

typedef struct {
    uint8_t level, latch, reset, hourly_index;
    int32_t on_ms, off_ms; /* how long the condition must hold before, and be gone after */
} tw_cause_row_t;

enum tw_status { TW_OK, TW_BAD_CONFIG, TW_BAD_ABI };

/* Checks the configuration and puts the state into BOOT. Returns TW_OK, or says why not; then tw_step stays at 0 W. */
int32_t tw_init(const tw_config_t *config, tw_state_t *state);

/* One cycle: reads config, input and state; writes state and output, wholly, whatever the input holds. */
void tw_step(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output);

/* The row of `rules` that lists exactly this write and lets it pass, or -1. Knows no intent, only the last output.
 * written_mono_ms[row] is when that row was last passed (any value at first: INT64_MIN); the row that passes is stamped. */
int32_t tw_tx_allowed(const tw_gate_rule_t *rules, int64_t *written_mono_ms, int32_t rule_count,
                      const tw_output_t *output, const tw_write_t *write);

/* The transition table and the tables of causes, for handbook and tests. A mode that does not exist: BOOT; an event that
 * does not: `mode`; a cause that does not: all zero. */
uint32_t tw_next_mode(uint32_t mode, uint32_t event);
tw_cause_row_t tw_site_row(int32_t cause);
tw_cause_row_t tw_unit_row(int32_t cause);

/* CRC-16/MODBUS of the bytes, as it is put on the wire low byte first. */
uint16_t tw_crc16(const uint8_t *bytes, int32_t size);
