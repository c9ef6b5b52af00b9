"""Site functions and what stands around the kernel: names and units of the kernel's own configuration.

A function is a wish inside the band or a rule that narrows; whatever stands here, the interlocks hold. 0 switches a
function off.
"""

from dataclasses import dataclass

from edge.config.option import option, power


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The connection: what the fuse carries, and which grid counts as lost."""

    fuse_a: int = option(
        0, low=0, high=100_000, when="rating of the main fuse, per phase of three; 0: the contract alone"
    )
    voltage_nominal_v: int = option(230, low=100, high=400, when="line to neutral")
    frequency_nominal_mhz: int = option(50_000, low=50_000, high=60_000, when="50 000 or 60 000")
    voltage_min_dv: int = option(0, low=0, high=4_000, when="line to neutral, below: grid lost; 0: not watched")
    voltage_max_dv: int = option(0, low=0, high=6_000)
    frequency_min_mhz: int = option(0, low=0, high=60_000, when="below: grid lost; 0: not watched")
    frequency_max_mhz: int = option(0, low=0, high=66_000)
    grid_return_ms: int = option(300_000, low=1_000, high=1_200_000, when="how long it must be good before a start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Time-outs of starting and stopping a unit; three failures latch."""

    connect_max_ms: int = option(15_000, low=2_000, high=120_000, when="contactor with precharge")
    start_max_ms: int = option(30_000, low=2_000, high=300_000, when="PCS soft start")
    stop_max_ms: int = option(10_000, low=1_000, high=60_000, when="after this the battery is asked to open")
    cooldown_ms: int = option(30_000, low=1_000, high=600_000, when="after a failed start: precharge resistors cool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Safe:
    """What the site declares safe when something is lost. zero: 0 kW, returns by itself; hold: waits for a person."""

    poc: str = option("zero", words=("zero", "hold"), when="POC meter lost")
    grid: str = option("zero", words=("zero", "hold", "island"), when="grid lost; island: the PCS carries the site")
    door: str = option("warn", words=("warn", "zero", "hold"), when="battery container's door open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """Wishes inside the band; parameters of `tw_wish_config_t`."""

    dead_time_ms: int = option(
        0, low=0, high=2_000, when="meter to AC power, to begin with; it is measured in operation"
    )
    soc_target_cpct: int = option(
        0, low=0, high=10_000, when="where smoothing keeps it; 0: where the last plan left it"
    )
    soc_band_cpct: int = option(500, low=0, high=5_000, when="what smoothing may use around the target; 0: no centring")
    self_consumption: bool = option(False, when="hold the grid at grid_target_w")
    grid_target_w: int = power(0, low=-100_000_000)
    peak_shave_w: int = power(0, when="import above this is carried by the battery")
    recharge_w: int = power(0, when="the grid may be raised to this to reach soc_target again")
    demand_max_w: int = power(0, when="average of the billing window; the billed peak so far counts if higher")
    droop_deadband_mhz: int = option(20, low=0, high=1_000)
    droop_w_per_hz: int = power(0, when="frequency support; a droop in the PCS itself is faster")
    droop_max_w: int = power(0)
    power_factor_permille: int = option(0, low=-1_000, high=1_000, when="fixed power factor, + supplies; 0: off")
    volt_var: bool = option(False, when="reactive power by the curve below")
    var_voltage_permille: tuple[int, ...] = option((920, 980, 1_020, 1_080), low=500, high=1_500)
    var_permille: tuple[int, ...] = option((440, 0, 0, -440), low=-1_000, high=1_000, when="of reactive_max_var")
    calibrate_w: int = power(0, when="charge power of a calibration")
    calibrate_hold_ms: int = option(600_000, low=0, high=7_200_000, when="how long it stays full")
    genset_start_soc_cpct: int = option(0, low=0, high=9_000, when="0: no genset")
    genset_stop_soc_cpct: int = option(0, low=0, high=10_000)
    genset_min_run_ms: int = option(600_000, low=0, high=36_000_000)
