"""What the options of one site must be to each other: names that exist, addresses that differ, limits in order.

Bus arithmetic needs the profiles and is checked by `edge.field.budget`.
"""

from collections.abc import Iterator
from itertools import pairwise

from edge.config.battery import ASCENDING, Unit
from edge.config.options import Cloud, Config, Port
from edge.config.views import Broker
from edge.errors import Problem

UNITS_MAX = 8  # TW_UNITS of the kernel
SERIAL_ADDRESS_MAX = 247  # 248..255 are reserved on a line; over TCP 255 is "the one that is there"
DEVICES_PER_PORT_MAX = 31  # unit loads of a plain RS-485 segment, less the gateway itself


def cross_check(config: Config) -> list[Problem]:
    """Every contradiction between options of a site whose single values are all in range."""
    return [Problem(config.file, *parts) for check in CHECKS for parts in check(config)]


Parts = tuple[str, object, str, str]


def _names(config: Config) -> Iterator[Parts]:
    tables = {"port": [port.name for port in config.port], "device": [device.name for device in config.device]}
    for table, names in tables.items():
        for index, name in enumerate(names):
            if name in names[:index]:
                yield f"{table}[{index}].name", name, f"is taken by {table}[{names.index(name)}]", "names differ"


def _ports(config: Config) -> Iterator[Parts]:
    names = [port.name for port in config.port]
    for index, device in enumerate(config.device):
        if device.port not in names:
            yield f"device[{index}].port", device.port, "is no [[port]]; there are: " + ", ".join(names), ""
    for index, port in enumerate(config.port):
        count = sum(device.port == port.name for device in config.device)
        if count > DEVICES_PER_PORT_MAX:
            yield f"port[{index}].name", port.name, f"has {count} devices; at most {DEVICES_PER_PORT_MAX}", ""
    places = [port.path or f"{port.host}:{port.tcp_port}" for port in config.port]
    for index, (port, place) in enumerate(zip(config.port, places, strict=True)):
        yield from _place(f"port[{index}]", port)
        if place in places[:index]:
            key = "path" if port.path else "host"
            yield (
                f"port[{index}].{key}",
                place,
                f"is the {key} of port[{places.index(place)}] too",
                "one owner per port",
            )


def _place(key: str, port: Port) -> Iterator[Parts]:
    """A serial port has a path and no host, a TCP port the other way round."""
    wanted, other = ("host", "path") if port.kind == "tcp" else ("path", "host")
    if not getattr(port, wanted):
        yield f"{key}.{wanted}", None, f"is missing: kind = '{port.kind}' needs it", ""
    if getattr(port, other):
        yield f"{key}.{other}", getattr(port, other), f"is not for kind = '{port.kind}'", f"that has a {wanted}"


def _addresses(config: Config) -> Iterator[Parts]:
    seen: dict[tuple[str, int], int] = {}
    serial = {port.name for port in config.port if port.kind == "serial"}
    for index, device in enumerate(config.device):
        at = (device.port, device.address)
        if at in seen:
            other = config.device[seen[at]].name
            yield f"device[{index}].address", device.address, f"is the address of {other} on port {device.port}", ""
        seen.setdefault(at, index)
        if device.address > SERIAL_ADDRESS_MAX and device.port in serial:
            yield f"device[{index}].address", device.address, f"must be 1..{SERIAL_ADDRESS_MAX} on a serial port", ""


def _watchdogs(config: Config) -> Iterator[Parts]:
    for index, device in enumerate(config.device):
        said, wanted = device.without_watchdog, device.acceptance()
        if said and not wanted:
            yield f"device[{index}].without_watchdog", said, "is only for use = 'pcs' or 'bms'", "leave it out"
        elif said and said != wanted:
            yield f"device[{index}].without_watchdog", said, f'must be, word for word: "{wanted}"', "or leave it out"


def _uses(config: Config) -> Iterator[Parts]:
    for use in ("poc", "load", "pv"):
        found = [device.name for device in config.device if device.use == use]
        if use == "poc" and not found:
            yield "device", None, "needs one with use = 'poc'", "the meter at the point of connection"
        if len(found) > 1:
            yield "device", ", ".join(found), f"only one may have use = '{use}'", ""


def _units(config: Config) -> Iterator[Parts]:
    if not 1 <= len(config.unit) <= UNITS_MAX:
        yield "unit", len(config.unit), f"must be 1..{UNITS_MAX} [[unit]] tables", "one PCS with its BMS each"
    uses = {device.name: device.use for device in config.device}
    taken: set[str] = set()
    for index, unit in enumerate(config.unit):
        for part, name in (("pcs", unit.pcs), ("bms", unit.bms)):
            if uses.get(name) != part:
                yield f"unit[{index}].{part}", name, f"is no [[device]] with use = '{part}'", ""
            elif name in taken:
                yield f"unit[{index}].{part}", name, "belongs to another unit already", ""
            taken.add(name)
        yield from _unit_order(f"unit[{index}]", unit)
        yield from _unit_windows(f"unit[{index}]", unit)
    for index, device in enumerate(config.device):
        if device.use in ("pcs", "bms") and device.name not in taken:
            yield f"device[{index}].name", device.name, "is in no [[unit]]", "an unwatched PCS or BMS is refused"


def _unit_order(key: str, unit: Unit) -> Iterator[Parts]:
    for names in ASCENDING:
        for low, high in pairwise(names):
            if getattr(unit, low) >= getattr(unit, high):
                yield f"{key}.{low}", getattr(unit, low), f"must be below {high} = {getattr(unit, high)}", ""


def _unit_windows(key: str, unit: Unit) -> Iterator[Parts]:
    """What the kernel wants of a unit beyond ascending thresholds."""
    if unit.temp_charge_max_dc > unit.temp_max_dc:
        yield (
            f"{key}.temp_charge_max_dc",
            unit.temp_charge_max_dc,
            f"must not be above temp_max_dc = {unit.temp_max_dc}",
            "",
        )
    floor_cpct = max(unit.soc_min_cpct, unit.soc_reserve_cpct)
    if floor_cpct + unit.soc_taper_cpct > unit.soc_max_cpct:
        allowed = (
            f"must be at most {unit.soc_max_cpct - floor_cpct}, the width of the SOC window above minimum and reserve"
        )
        yield f"{key}.soc_taper_cpct", unit.soc_taper_cpct, allowed, ""
    rating_w = max(unit.power_charge_max_w, unit.power_discharge_max_w)
    if unit.power_efficient_min_w > rating_w:
        yield f"{key}.power_efficient_min_w", unit.power_efficient_min_w, f"must be at most {rating_w}, the rating", ""


def _functions(config: Config) -> Iterator[Parts]:
    functions, grid = config.functions, config.grid
    if list(functions.var_voltage_permille) != sorted(set(functions.var_voltage_permille)):
        yield "functions.var_voltage_permille", functions.var_voltage_permille, "must ascend", "four points of a curve"
    if functions.volt_var and functions.power_factor_permille:
        yield (
            "functions.power_factor_permille",
            functions.power_factor_permille,
            "not together with volt_var",
            "one of both",
        )
    if functions.genset_start_soc_cpct and functions.genset_stop_soc_cpct <= functions.genset_start_soc_cpct:
        allowed = f"must be above genset_start_soc_cpct = {functions.genset_start_soc_cpct}"
        yield "functions.genset_stop_soc_cpct", functions.genset_stop_soc_cpct, allowed, ""
    for low, high in (("voltage_min_dv", "voltage_max_dv"), ("frequency_min_mhz", "frequency_max_mhz")):
        if getattr(grid, low) and getattr(grid, low) >= getattr(grid, high):
            yield f"grid.{low}", getattr(grid, low), f"must be below {high} = {getattr(grid, high)}", "or both 0"
    if config.limits.poc_age_fade_ms >= config.limits.poc_age_max_ms:
        allowed = f"must be below poc_age_max_ms = {config.limits.poc_age_max_ms}"
        yield "limits.poc_age_fade_ms", config.limits.poc_age_fade_ms, allowed, ""


def _rule(config: Config) -> Iterator[Parts]:
    rule = config.rule
    if rule.intensity_low_g_per_kwh >= rule.intensity_high_g_per_kwh:
        high = rule.intensity_high_g_per_kwh
        yield (
            "rule.intensity_low_g_per_kwh",
            rule.intensity_low_g_per_kwh,
            f"must be below {high}",
            "the high threshold",
        )
    if config.signal.kind == "file" and not config.signal.path:
        yield "signal.path", "", "is needed for kind = 'file'", "a CSV with a time and an intensity column"
    if config.signal.kind == "mqtt" and not config.cloud.host:
        yield "cloud.host", "", "is needed for signal.kind = 'mqtt'", ""
    if bool(config.limits.ramp_up_max_w_per_s) != bool(config.limits.ramp_down_max_w_per_s):
        yield "limits.ramp_down_max_w_per_s", config.limits.ramp_down_max_w_per_s, "both ramps or none", ""
    if config.cloud.host and not config.store.path:
        yield "store.path", "", "is needed with cloud.host", "what is sent is kept until the ingest has acknowledged it"


def _cloud(config: Config) -> Iterator[Parts]:
    brokers: dict[str, Cloud | Broker] = {
        "cloud": config.cloud,
        "views.sparkplug": config.views.sparkplug,
        "views.thingsboard": config.views.thingsboard,
    }
    for table, broker in brokers.items():
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(broker, key) and not broker.tls:
                yield f"{table}.{key}", getattr(broker, key), f"needs {table}.tls = true", "else it is not used"
        if broker.key_file and not broker.cert_file:
            yield f"{table}.key_file", broker.key_file, f"needs {table}.cert_file", "a key without its certificate"
        if broker.password_file and not broker.username:
            yield f"{table}.password_file", broker.password_file, f"needs {table}.username", "a password without a user"


def _evidence(config: Config) -> Iterator[Parts]:
    devices = {device.name: device.use for device in config.device}
    for index, meter in enumerate(config.meter):
        if devices.get(meter.device, "bms") in ("bms", "io"):
            yield f"meter[{index}].device", meter.device, "is no [[device]] that counts energy", "poc, load, pv or pcs"
        if meter.device in [other.device for other in config.meter[:index]]:
            yield f"meter[{index}].device", meter.device, "has a [[meter]] already", "one for each device"
    for index, contract in enumerate(config.contract):
        if contract.first and contract.last and contract.first > contract.last:
            yield f"contract[{index}].last", contract.last, f"must not be before first = {contract.first}", ""
        if contract.name in [other.name for other in config.contract[:index]]:
            yield f"contract[{index}].name", contract.name, "is taken by another [[contract]]", "names differ"


def _views(config: Config) -> Iterator[Parts]:
    views = config.views
    if views.json_every_s and not config.cloud.host:
        yield "views.json_every_s", views.json_every_s, "needs cloud.host", "it goes to the broker of the cloud"
    if views.sparkplug.setpoints and not views.sparkplug.host:
        yield "views.sparkplug.setpoints", True, "needs views.sparkplug.host", "nobody could write one"


CHECKS = (_names, _ports, _addresses, _watchdogs, _uses, _units, _functions, _rule, _cloud, _views, _evidence)
