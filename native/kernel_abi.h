/* The one ABI text of the kernel: declarations only, read verbatim as the cffi cdef (so: no #if, no #include, no
 * static, and #define with a plain integer only). kernel.h wraps it for C. A change here is a change of TW_ABI.
 *
 * Signs: grid + import, battery + discharge, PV + production, load + consumption.
 * Units are the last word of each name: w, dv (0.1 V), da (0.1 A), mv, dc (0.1 degC), cpct (0.01 %), ms.
 * An age is the time since the value was taken; TW_AGE_NEVER means it was never seen.
 */

#define TW_ABI 2
#define TW_UNITS 8
#define TW_AGE_NEVER 2147483647
#define TW_POWER_LIMIT_W 100000000

/* ---- words ------------------------------------------------------------------------------------------------- */

enum tw_mode {
    TW_MODE_BOOT = 0,    /* not every device has answered yet */
    TW_MODE_STANDBY = 1, /* healthy, not asked to run (or held) */
    TW_MODE_RUN = 2,
    TW_MODE_FAULT = 3,   /* latched: needs the cause gone, a hold time and a reset at the console */
    TW_MODE_SERVICE = 4  /* a technician has the devices; setpoint 0, no start order */
};

/* What the unit must be told this cycle. The field writes a command only when the device is not already there. */
enum tw_order {
    TW_ORDER_NONE = 0,
    TW_ORDER_START = 1, /* connect the battery, then start the PCS */
    TW_ORDER_STOP = 2,  /* stop the PCS (setpoint 0 first) */
    TW_ORDER_OPEN = 3   /* stop, and ask the BMS to open its contactor */
};

enum tw_command { /* tw_input_t.commands */
    TW_COMMAND_RUN = 1,      /* somebody with the right to do so wants the site to run */
    TW_COMMAND_HOLD = 2,     /* 0 kW and STANDBY until resumed */
    TW_COMMAND_SERVICE = 4,
    TW_COMMAND_RESET = 8,    /* rising edge: clear latches whose cause is gone */
    TW_COMMAND_ESTOP = 16    /* emergency stop seen by the software (the hard-wired one acts by itself) */
};

enum tw_pcs_flag { /* tw_unit_input_t.pcs_flags */
    TW_PCS_FAULT = 1,
    TW_PCS_RUNNING = 2,
    TW_PCS_LOCAL = 4,
    TW_PCS_ESTOP = 8,
    TW_PCS_GUARDED = 16,      /* its comm-loss timer was written and read back */
    TW_PCS_WRITE_FAILED = 32  /* a setpoint was not read back three times running */
};

enum tw_bms_flag { /* tw_unit_input_t.bms_flags */
    TW_BMS_CONNECTED = 1,     /* main contactor closed, precharge done */
    TW_BMS_ALARM = 2,         /* the EMS must stop the PCS */
    TW_BMS_TRIP = 4,          /* the BMS opens its contactor itself */
    TW_BMS_CHARGE_FORBIDDEN = 8,
    TW_BMS_DISCHARGE_FORBIDDEN = 16,
    TW_BMS_GUARDED = 32
};

enum tw_why { /* site: tw_output_t.why */
    TW_WHY_BOOT = 1,
    TW_WHY_NOT_ASKED = 2,      /* no RUN command */
    TW_WHY_HOLD = 4,
    TW_WHY_SERVICE = 8,
    TW_WHY_ESTOP = 16,
    TW_WHY_LATCHED = 32,
    TW_WHY_NO_UNIT = 64,       /* no unit can carry power */
    TW_WHY_POC_STALE = 128,
    TW_WHY_CLOCK = 256,        /* time went backwards or a cycle took more than twice its period */
    TW_WHY_CONFIG = 512,       /* the configuration is outside the kernel's ranges */
    TW_WHY_IMPORT_LIMIT = 1024,
    TW_WHY_EXPORT_LIMIT = 2048,
    TW_WHY_RAMP = 4096,        /* the battery is carrying a load change that the grid must not see at once */
    TW_WHY_CHARGE_BOUND = 8192,    /* the wish was cut by what the units can charge */
    TW_WHY_DISCHARGE_BOUND = 16384,
    TW_WHY_WISH_EXPIRED = 32768
};

enum tw_unit_why { /* tw_unit_output_t.why */
    TW_UNIT_BMS_STALE = 1,         /* 0 kW */
    TW_UNIT_BMS_LOST = 2,          /* stop, latched */
    TW_UNIT_BMS_GONE = 4,          /* open, latched */
    TW_UNIT_PCS_STALE = 8,
    TW_UNIT_PCS_LOST = 16,
    TW_UNIT_PCS_FAULT = 32,
    TW_UNIT_PCS_LOCAL = 64,
    TW_UNIT_PCS_STOPPED = 128,
    TW_UNIT_UNGUARDED = 256,       /* no device-side watchdog: refused */
    TW_UNIT_WRITE_FAILED = 512,
    TW_UNIT_BMS_ALARM = 1024,
    TW_UNIT_BMS_TRIP = 2048,
    TW_UNIT_BMS_OPEN = 4096,
    TW_UNIT_CHARGE_FORBIDDEN = 8192,
    TW_UNIT_DISCHARGE_FORBIDDEN = 16384,
    TW_UNIT_SOC_LOW = 32768,
    TW_UNIT_SOC_HIGH = 65536,
    TW_UNIT_CELL_VOLTAGE_LOW = 131072,
    TW_UNIT_CELL_VOLTAGE_HIGH = 262144,
    TW_UNIT_CELL_VOLTAGE_TRIP = 524288,
    TW_UNIT_CELL_TEMP_LOW = 1048576,
    TW_UNIT_CELL_TEMP_HIGH = 2097152,
    TW_UNIT_CELL_TEMP_TRIP = 4194304,
    TW_UNIT_CURRENT_LIMIT = 8388608, /* the BMS current limit is below the PCS rating */
    TW_UNIT_SLEW = 16777216,         /* the limit is still rising after having been low */
    TW_UNIT_LATCHED = 33554432,
    TW_UNIT_VALUE_MISSING = 67108864 /* fresh, but a value is not plausible: the limit is 0 */
};

/* ---- config: written once, before tw_init ------------------------------------------------------------------- */

typedef struct {
    int32_t power_charge_max_w;    /* PCS rating, >= 0 */
    int32_t power_discharge_max_w;
    int32_t soc_min_cpct;          /* no discharge at or below */
    int32_t soc_max_cpct;          /* no charge at or above */
    int32_t soc_hysteresis_cpct;
    int32_t cell_voltage_min_mv;   /* no discharge at or below */
    int32_t cell_voltage_max_mv;   /* no charge at or above */
    int32_t cell_voltage_trip_low_mv;
    int32_t cell_voltage_trip_high_mv;
    int32_t cell_voltage_hysteresis_mv;
    int32_t cell_temp_charge_min_dc; /* no charge at or below */
    int32_t cell_temp_min_dc;        /* no discharge at or below */
    int32_t cell_temp_max_dc;        /* neither at or above */
    int32_t cell_temp_trip_dc;
    int32_t cell_temp_hysteresis_dc;
    int32_t limit_rise_w_per_s;      /* limits fall at once and rise this slowly */
    int32_t bms_age_max_ms;          /* older: 0 kW */
    int32_t bms_age_stop_ms;         /* older: stop, latched */
    int32_t bms_age_open_ms;         /* older: open, latched */
    int32_t pcs_age_max_ms;
    int32_t pcs_age_stop_ms;
} tw_unit_config_t;

typedef struct {
    uint32_t abi;                /* TW_ABI */
    int32_t unit_count;          /* 1..TW_UNITS */
    int32_t cycle_ms;            /* 50..1000 */
    int32_t import_max_w;        /* >= 0 */
    int32_t export_max_w;        /* >= 0; 0 is zero export */
    int32_t ramp_up_max_w_per_s;    /* of the power at the POC; 0 = no ramp limit */
    int32_t ramp_down_max_w_per_s;
    int32_t poc_age_max_ms;
    int32_t boot_settle_ms;      /* everything must have been fresh for this long */
    int32_t reset_hold_ms;       /* a cause must be gone this long before its latch can be reset */
    tw_unit_config_t unit[TW_UNITS];
} tw_config_t;

/* ---- input: the image of this cycle ------------------------------------------------------------------------- */

typedef struct {
    int32_t pcs_age_ms;
    int32_t bms_age_ms;
    uint32_t pcs_flags;
    uint32_t bms_flags;
    int32_t power_w;                 /* measured by the PCS at its AC side */
    int32_t pack_voltage_dv;
    int32_t pack_current_da;         /* + discharge */
    int32_t soc_cpct;
    int32_t current_charge_max_da;   /* >= 0, what the BMS allows now */
    int32_t current_discharge_max_da;
    int32_t cell_voltage_min_mv;
    int32_t cell_voltage_max_mv;
    int32_t cell_temp_min_dc;
    int32_t cell_temp_max_dc;
} tw_unit_input_t;

typedef struct {
    int64_t mono_ms;
    uint32_t commands;
    int32_t wish_w;          /* battery power somebody wishes for; 0 with wish_left_ms <= 0 */
    int32_t wish_left_ms;    /* what is left of its lease */
    int32_t poc_power_w;
    int32_t poc_age_ms;
    int32_t load_power_w;    /* IT meter */
    int32_t load_age_ms;
    int32_t pv_power_w;
    int32_t pv_age_ms;
    int32_t reserved_w;
    tw_unit_input_t unit[TW_UNITS];
} tw_input_t;

/* ---- state: owned by the caller, written by tw_init and tw_step only ---------------------------------------- */

typedef struct {
    uint32_t active;           /* TW_UNIT_* conditions with hysteresis that are set now, and bits of inner.h */
    uint32_t latched;          /* TW_UNIT_* causes that stopped the unit for good */
    int32_t clear_ms;          /* how long no latching cause has been present */
    int32_t setpoint_w;
    int64_t charge_limit_mw;   /* slewed limits, in milliwatts: slow rises stay exact */
    int64_t discharge_limit_mw;
} tw_unit_state_t;

typedef struct {
    int64_t mono_ms;
    uint32_t mode;
    uint32_t started;           /* 0 until the first step */
    int32_t mode_ms;            /* time in this mode, saturating */
    int32_t settle_ms;
    uint32_t commands;          /* of the last cycle, for edges */
    uint32_t latched;           /* TW_WHY_* */
    int32_t clear_ms;           /* how long the emergency stop has been released */
    int32_t reserved_before;
    int64_t poc_reference_mw;   /* where the ramp limiter lets the grid be, in milliwatts: slow ramps stay exact */
    uint32_t reference_valid;
    uint32_t first_out;         /* the first cause of the present stop: one TW_WHY_* or one TW_UNIT_* bit */
    int32_t first_out_unit;     /* -1: the bit is a TW_WHY_* */
    uint32_t cycle_count;
    int64_t first_out_mono_ms;
    tw_unit_state_t unit[TW_UNITS];
} tw_state_t;

/* ---- output ------------------------------------------------------------------------------------------------- */

typedef struct {
    int32_t setpoint_w;
    int32_t charge_max_w;     /* >= 0: the band of this unit is [-charge_max_w, discharge_max_w] */
    int32_t discharge_max_w;
    uint32_t order;
    uint32_t why;
    uint32_t latched;
} tw_unit_output_t;

typedef struct {
    int64_t mono_ms;
    uint32_t cycle_count;
    uint32_t mode;
    uint32_t why;
    uint32_t latched;
    int32_t battery_w;        /* sum of the setpoints */
    int32_t band_min_w;       /* of all units together */
    int32_t band_max_w;
    int32_t wish_w;           /* what was wished, 0 when expired */
    int32_t net_load_w;       /* poc + battery: what the grid would see without the battery */
    int32_t poc_reference_w;
    uint32_t first_out;
    int32_t first_out_unit;
    int64_t first_out_mono_ms;
    tw_unit_output_t unit[TW_UNITS];
} tw_output_t;

/* ---- gate: the last look before the wire -------------------------------------------------------------------- */

enum tw_gate_kind {
    TW_GATE_VALUE = 1, /* value_min..value_max, in any mode */
    /* additionally: mode RUN and value * scale_w inside the unit's band of the last output; value 0 always passes */
    TW_GATE_POWER = 2,
    TW_GATE_START = 3  /* only while the unit's order of the last output is TW_ORDER_START */
};

typedef struct {
    uint8_t port_index;
    uint8_t address;
    uint8_t function;      /* 5, 6, 15 or 16 */
    uint8_t kind;
    uint16_t reg;          /* wire address */
    uint16_t count;        /* registers: exactly this many */
    int32_t value_min;     /* of the value as written, sign-extended */
    int32_t value_max;
    int32_t scale_w;       /* TW_GATE_POWER: watts per count, with the sign to + discharge; 0: only value 0 */
    int32_t unit_index;    /* POWER and START */
} tw_gate_rule_t;

typedef struct {
    uint8_t port_index;
    uint8_t address;
    uint8_t function;
    uint8_t reserved;
    uint16_t reg;
    uint16_t count;
    int32_t value;
} tw_write_t;

enum tw_status { TW_OK = 0, TW_BAD_CONFIG = 1, TW_BAD_ABI = 2 };

/* Checks the configuration and puts the state into BOOT. Returns TW_OK, or says why not; then tw_step stays at 0 W. */
int32_t tw_init(const tw_config_t *config, tw_state_t *state);

/* One cycle: reads config, input and state; writes state and output, wholly, whatever the input holds. */
void tw_step(const tw_config_t *config, tw_state_t *state, const tw_input_t *input, tw_output_t *output);

/* 1 if some rule lists exactly this write and its value passes; else 0. Knows no intent, only the last output. */
int32_t tw_tx_allowed(const tw_gate_rule_t *rules, int32_t rule_count, const tw_output_t *output, const tw_write_t *write);

/* CRC-16/MODBUS of the bytes, as it is put on the wire low byte first. */
uint16_t tw_crc16(const uint8_t *bytes, int32_t size);
