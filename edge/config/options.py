"""Every option of site.toml: name with its unit, range, default, and one line on when to change it.

Facts only: `reader.py` turns TOML into these, `checks.py` compares them with each other. No option without a range.
"""

from dataclasses import dataclass, field

from edge.config.battery import Unit
from edge.config.evidence import Contract, Evidence, Meter
from edge.config.functions import Functions, Grid, Safe, Sequence
from edge.config.option import NAME, option, power
from edge.config.views import Views


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    id: str = option(pattern=NAME, when="the gateway's name in topics and the fleet")
    tenant: str = option("local", pattern=NAME, when="first level of the topics")
    cycle_ms: int = option(100, low=50, high=1000, when="slower buses: at least the age the fast pair can keep")
    auto_run: bool = option(True, when="false: wait for `resume` at the console after each start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    import_max_w: int = power(when="the contract at the POC")
    export_max_w: int = power(0, when="0 is zero export")
    ramp_up_max_w_per_s: int = power(0, when="what the grid may see; 0: no ramp limit, no smoothing")
    ramp_down_max_w_per_s: int = power(0)
    setpoint_ramp_w_per_s: int = power(0, when="of the battery itself; 0: ten times its rating a second")
    pv_rated_w: int = power(0, when="PV that can be curtailed; 0: none can")
    pv_lost_max_w: int = power(0, when="PV limit while the POC meter is lost")
    poc_age_fade_ms: int = option(1_000, low=100, high=5_000, when="older: the battery fades out")
    poc_age_max_ms: int = option(3_000, low=200, high=10_000, when="tighten only; older than this is no meter")
    boot_settle_ms: int = option(1_000, low=1, high=60_000, when="how long all devices must answer before STANDBY")
    reset_hold_ms: int = option(10_000, low=1_000, high=600_000, when="how long a cause must be gone before a reset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    name: str = option(pattern=NAME)
    kind: str = option("serial", words=("serial", "tcp"), when="tcp: Modbus TCP, a device or a gateway on the network")
    path: str = option("", when="serial: the tty; name it by USB path (udev), not by number")
    host: str = option("", when="tcp: its address; a number rather than a name, so that nothing else need answer")
    tcp_port: int = option(502, low=1, high=65_535)
    baud: int = option(19_200, words=("1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200"))
    parity: str = option("N", words=("N", "E", "O"))
    stopbits: int = option(1, low=1, high=2)
    gap_ms: int = option(
        0, low=0, high=500, when="silence between transactions; 0: the largest of the profiles, none on tcp"
    )
    rs485: str = option("auto", words=("auto", "kernel"), when="kernel: the UART needs TIOCSRS485 for direction")
    low_latency: str = option(
        "auto", words=("auto", "on", "off"), when="on: a USB adapter that cannot is refused; auto: it does without"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    name: str = option(pattern=NAME)
    profile: str = option(
        pattern=r"[a-z0-9-]+", when="one that ships, or a file of the folder `profiles` beside this one, without .toml"
    )
    port: str = option(pattern=NAME)
    address: int = option(low=1, high=255, when="at most 247 on a serial port; many a TCP device of one unit wants 255")
    use: str = option(words=("poc", "load", "pv", "pcs", "bms", "io"))
    watchdog_s: int = option(
        0, low=0, high=3600, when="shorter comm-loss time than the profile's; 0 keeps the profile's"
    )
    without_watchdog: str = option(
        "", when="only for a PCS or BMS without one, in the words that `edge check` asks for"
    )

    def acceptance(self) -> str:
        """The words with which a site takes on itself what a device without a watchdog does."""
        does = {"pcs": "keeps its last setpoint", "bms": "stays connected"}.get(self.use, "")
        return f"I accept that {self.name} {does} when this controller dies" if does else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Where the grid's carbon intensity comes from. Without one the intensity is unknown and the rule stays idle."""

    kind: str = option(
        "none",
        words=(
            "none",
            "file",
            "mqtt",
            "ercot",
            "caiso",
            "eia",
            "pjm",
            "nyiso",
            "miso",
            "gb",
            "entsoe",
            "electricitymaps",
        ),
        when="mqtt: pushed by the fleet; the others are asked over HTTP: `edge signal list`",
    )
    path: str = option("", when="file: CSV with a time column and an intensity column in g/kWh")
    column: str = option("ci_direct_g", when="file: the intensity column")
    start: str = option("", when="file: the row time that plays as now; empty uses the wall clock")
    speed: int = option(1, low=1, high=86_400, when="file: seconds of the file per second")
    age_max_s: int = option(
        7_200, low=60, high=86_400, when="file, mqtt: older is stale: shown, but the rule stays idle"
    )
    region: str = option("", when="HTTP: the publisher's name of the region; empty: its usual one")
    key_file: str = option("", when="HTTP: path of the file with the key, or the name of a systemd credential")
    base_url: str = option("", when="HTTP: another address of the same interface, such as a proxy of the fleet")
    ca_file: str = option("", when="HTTP: PEM of a private CA; empty trusts the system's")
    factors: str = option(
        "", when="HTTP: table of emission factors (`edge factors list`); empty: the source's usual one"
    )
    basis: str = option(
        "direct", words=("direct", "lifecycle"), when="lifecycle counts what building and fuel supply cost"
    )
    bodies_max_bytes: int = option(
        256 << 20, low=1 << 20, high=8 << 30, when="HTTP: answers kept for a verifier; ERCOT makes 8 MB a day"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Thresholds that ask for power; a planner comes later. All asks are leases, the kernel decides."""

    enabled: bool = option(True)
    intensity_high_g_per_kwh: int = option(400, low=0, high=2_000)
    intensity_low_g_per_kwh: int = option(250, low=0, high=2_000)
    load_surge_w: int = option(0, low=0, high=100_000_000, when="IT load above this counts as a surge; 0: no load rule")
    discharge_w: int = option(0, low=0, high=100_000_000)
    charge_w: int = option(0, low=0, high=100_000_000)
    invite_w: int = option(0, low=0, high=100_000_000, when="compute power offered to the cluster when clean")
    cluster: str = option("main", pattern=NAME)
    lease_ms: int = option(15_000, low=1_000, high=900_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    path: str = option("", when="folder of the telemetry ring; empty keeps nothing on disk")
    telemetry_max_bytes: int = option(256 << 20, low=4 << 20, high=64 << 30)
    trace_max_bytes: int = option(64 << 20, low=4 << 20, high=64 << 30)
    rollup_max_bytes: int = option(16 << 20, low=1 << 20, high=1 << 30, when="quarters of an hour: a year and more")
    journal_max_bytes: int = option(64 << 20, low=1 << 20, high=1 << 30, when="events, audit and ledger")
    sync_ms: int = option(10_000, low=0, high=600_000, when="how much a power cut may cost; 0 syncs each write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    host: str = option("", when="broker; empty keeps everything local")
    port: int = option(1883, low=1, high=65_535)
    username: str = option("", when="the broker asks for one")
    password_file: str = option("", when="its first line is the password; read anew for each connection")
    tls: bool = option(False, when="true wherever the broker is not on this machine; the port is then usually 8883")
    ca_file: str = option("", when="PEM of a private CA; empty trusts the system's")
    cert_file: str = option("", when="the broker asks for a client certificate (PEM)")
    key_file: str = option("", when="its key (PEM, not encrypted), when it is not in cert_file")
    keepalive_s: int = option(30, low=5, high=600)
    reconnect_max_s: int = option(
        60,
        low=0,
        high=300,
        when="longest first wait after a connection ended; less only where few gateways share a broker",
    )
    backfill_per_s: int = (
        option(  # a day at 1 Hz is 864 batches of 100 samples: 44 s; large fleets lower it by their caps
            20,
            low=1,
            high=1_000,
            when="backlog batches (of 100 samples) a second after an outage; less on a metered line",
        )
    )
    backfill_bytes_per_s: int = option(  # a day of 60 metrics is 4.6 MB
        150_000, low=1_000, high=10_000_000, when="the same in bytes a second; whichever is less counts"
    )
    backfill_start_max_s: int = option(
        30,
        low=0,
        high=3_600,
        when="the backlog waits for a time drawn from 0 to this: more where a fleet returns at once",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    socket: str = option("", when="UNIX socket path; empty: no socket")
    port: str = option("", when="tty of the service connector; empty: none")
    baud: int = option(115_200, low=1_200, high=115_200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One site. `file` is where it was read from, for messages."""

    file: str
    site: Site
    limits: Limits
    port: tuple[Port, ...]
    device: tuple[Device, ...]
    unit: tuple[Unit, ...]
    grid: Grid = field(default_factory=Grid)
    sequence: Sequence = field(default_factory=Sequence)
    safe: Safe = field(default_factory=Safe)
    functions: Functions = field(default_factory=Functions)
    signal: Signal = Signal()
    rule: Rule = Rule()
    store: Store = Store()
    cloud: Cloud = Cloud()
    views: Views = field(default_factory=Views)
    console: Console = Console()
    evidence: Evidence = field(default_factory=Evidence)
    meter: tuple[Meter, ...] = ()
    contract: tuple[Contract, ...] = ()
