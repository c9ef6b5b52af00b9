"""Text of the screens: pure functions from a StatusView to lines of at most 80 ASCII columns, units shown.

Whatever a device, a broker or a file supplied goes through `clean` first: no control character reaches a terminal.
Colour marks the mode and nothing else; every screen reads the same without it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from edge.console.view import Reason, StatusView
from edge.model import DeviceHealth, Event, Outcome
from edge.units import show

WIDTH = 80
UNKNOWN = "--"
MODE_COLOURS = {"RUN": "32", "FAULT": "31", "SERVICE": "33", "BOOT": "33"}


def clean(text: str, width: int = WIDTH) -> str:
    """Printable ASCII only, cut to `width`: the guard against escape sequences in foreign text."""
    safe = "".join(c if " " <= c <= "~" else "" if c == "°" else "?" for c in text)
    return safe if len(safe) <= width else safe[: max(0, width - 1)] + "~"


def paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


def quantity(value: int | None, unit: str) -> str:
    return UNKNOWN if value is None else clean(show(value, unit))


def duration(time_ms: int | None) -> str:
    """`show` for times: 850 ms, 12.3 s, 4 min, 3 h, 2 d."""
    if time_ms is None:
        return UNKNOWN
    if time_ms < 1000:
        return f"{time_ms} ms"
    if time_ms < 60_000:
        return f"{time_ms / 1000:.1f} s"
    for size_ms, word in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if time_ms >= size_ms:
            return f"{time_ms // size_ms} {word}"
    return f"{time_ms} ms"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Columns as wide as their widest cell, two spaces between, `right` aligned where listed, cut at 80 columns."""
    cells = [[clean(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        texts = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append(clean("  ".join(texts).rstrip()))
    return lines


def _pair(name: str, value: str, name2: str = "", value2: str = "") -> str:
    return clean(f"{name:<16}{value:>12}    {name2:<16}{value2:>12}".rstrip())


def wrap(name: str, text: str) -> list[str]:
    """`name` in a column of 10, the text beside it, broken at spaces."""
    lines, line = [], f"{clean(name, 9):<10}"
    for word in clean(text, 1000).split():
        if len(line) + len(word) + 1 > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = " " * 10
        line += word + " "
    return [*(clean(done) for done in lines), clean(line.rstrip())]


def intensity(value_mg_per_kwh: int | None) -> str:
    return UNKNOWN if value_mg_per_kwh is None else f"{value_mg_per_kwh / 1000:.0f} g/kWh"


def grams_per_s(value_mg_per_s: int | None) -> str:
    return UNKNOWN if value_mg_per_s is None else f"{value_mg_per_s / 1000:.2f} g/s"


def status_screen(view: StatusView, colour: bool = False) -> list[str]:
    up = view.uplink
    link = "connected" if up.connected else "offline"
    # No column is padded after colouring: escapes have no width.
    title = clean(f"site {view.tenant}/{view.site}   mode ", WIDTH - len(view.mode) - 1)
    mode = paint(clean(view.mode, 10), MODE_COLOURS.get(view.mode, ""), colour)
    lines = [
        title + mode,
        *wrap("standing", view.standing or UNKNOWN),
        *(wrap("first out", view.first_out) if view.first_out else ()),
        *(wrap("why", ", ".join(reason.name for reason in view.reasons)) if view.reasons else ()),
        "",
        _pair("grid (POC)", quantity(view.poc_power_w, "W"), "SOC", quantity(view.soc_cpct, "cpct")),
        _pair("IT load", quantity(view.load_power_w, "W"), "cell min", quantity(view.cell_voltage_min_mv, "mV")),
        _pair("PV", quantity(view.pv_power_w, "W"), "cell max", quantity(view.cell_voltage_max_mv, "mV")),
        _pair("battery", quantity(view.battery_power_w, "W"), "cell temp max", quantity(view.cell_temp_max_dc, "dC")),
        _pair("setpoint", quantity(view.battery_set_w, "W"), "may charge", quantity(view.charge_max_w, "W")),
        _pair("wish", quantity(view.wish_w, "W"), "may discharge", quantity(view.discharge_max_w, "W")),
        "",
        _pair("grid carbon", intensity(up.grid_intensity_mg_per_kwh), "quality", clean(up.grid_quality, 12)),
        _pair(
            "site carbon", intensity(up.site_intensity_mg_per_kwh), "emitted now", grams_per_s(up.site_carbon_mg_per_s)
        ),
        _pair(
            "battery carbon",
            intensity(up.battery_intensity_mg_per_kwh),
            "stored",
            f"{up.stored_carbon_mg / 1e6:.2f} kg",
        ),
        *wrap("rule", up.rule or UNKNOWN),
        "",
        _pair(
            "cloud",
            link,
            "pending",
            f"{up.pending_count}{f', {up.queue_age_ms // 1_000} s' if up.queue_age_ms else ''}",
        ),
        _pair("lateness p99", f"{view.late_p99_us} us", "lateness max", f"{view.late_max_us} us"),
        _pair("cycles", str(view.cycle_count), "late", str(view.late_count)),
    ]
    lines += wrap("cloud", up.cloud_fault) if up.cloud_fault else ()
    lines += wrap("store", up.store_fault) if up.store_fault else ()
    for device in view.devices:
        lines += wrap("accepted", device.acceptance) if device.acceptance else ()
    return lines


def utc(wall_ms: int) -> str:
    """2026-01-31 23:59:59, always UTC: no season moves it."""
    try:
        return datetime.fromtimestamp(wall_ms // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def events_screen(events: Sequence[Event]) -> list[str]:
    """Newest last: when (UTC), how bad, what; under it the text."""
    lines = ["time (UTC)           level    event"] if events else ["no events yet"]
    for event in events:
        lines.append(clean(f"{utc(event.wall_ms):<19}  {event.level:<7}  {event.name}"))
        lines += wrap("", event.text)
    return lines


EXCEPTIONS = {1: "no such function", 2: "no such register", 3: "no such value", 4: "device failure", 6: "busy"}


def refusal(code: int) -> str:
    """The newest exception of a device, in words (Modbus application protocol, section 7)."""
    return f"has refused a request: exception {code} ({EXCEPTIONS.get(code, 'not of the standard')})"


def _device_state(device: DeviceHealth) -> str:
    if device.identity_fault:
        return "wrong device"
    if device.age_ms is None:
        return "never seen"
    if device.failed_count:
        return f"failing x{device.failed_count}"
    if device.write_failed:
        return "write failed"
    if device.acceptance:
        return "ok, no watchdog"
    return "ok" if device.guarded else "ok, unguarded"


def devices_screen(view: StatusView) -> list[str]:
    if not view.devices:
        return ["no devices"]
    head = ("device", "port", "addr", "quality", "age", "latency", "state")
    rows = [
        (
            d.device,
            d.port,
            str(d.address),
            d.quality.name,
            duration(d.age_ms),
            f"{d.latency_us / 1000:.1f} ms",
            _device_state(d),
        )
        for d in view.devices
    ]
    lines = table(head, rows, right=(2, 4, 5))
    for device in view.devices:
        lines += wrap(device.device, device.quality_fault) if device.quality_fault and not device.identity_fault else ()
        lines += wrap(device.device, device.acceptance) if device.acceptance else ()
        lines += wrap(device.device, refusal(device.exception_code)) if device.exception_code else ()
        lines += (
            wrap(device.device, f"{device.identity_fault}: not written, not believed") if device.identity_fault else ()
        )
    return lines


def bus_screen(view: StatusView) -> list[str]:
    if not view.ports:
        return ["no ports"]
    rows = [
        (
            p.port,
            "open" if p.is_open else "closed",
            f"{p.load_permille / 10:.1f} %",
            "yes" if p.hears_itself else "no",
            p.error or "-",
        )
        for p in view.ports
    ]
    lines = table(("port", "state", "load", "echo", "error"), rows, right=(2,))
    outcomes = [outcome for outcome in Outcome if outcome is not Outcome.OK]
    head = ("device", "sent", "ok", *(outcome.name.lower() for outcome in outcomes))
    counts = [
        (
            d.device,
            str(d.sent_count),
            str(d.ok_count),
            *(str(d.outcome_counts[o]) if o < len(d.outcome_counts) else "0" for o in outcomes),
        )
        for d in view.devices
    ]
    return [*lines, "", *table(head, counts, right=tuple(range(1, len(head))))] if counts else lines


def limits_screen(view: StatusView) -> list[str]:
    ramps = (view.ramp_up_max_w_per_s, view.ramp_down_max_w_per_s)
    up, down = (clean(show(ramp, "W")) + "/s" if ramp else "off" for ramp in ramps)
    lines = [
        _pair("may charge", quantity(view.charge_max_w, "W"), "may discharge", quantity(view.discharge_max_w, "W")),
        _pair("import max", quantity(view.import_max_w, "W"), "export max", quantity(view.export_max_w, "W")),
        _pair("ramp up max", up, "ramp down max", down),
        _pair("grid reference", quantity(view.reference_w, "W"), "grid now", quantity(view.poc_power_w, "W")),
        _pair("dead time", duration(view.dead_time_ms or None), "load period", duration(view.period_ms or None)),
        _pair("fast gain", f"{view.gain_permille / 10:.0f} %"),
    ]
    return [*lines, "", *narrowing_lines(view)]


def narrowing_lines(view: StatusView) -> list[str]:
    """Each rule that narrowed a number, before and after; what is not listed changed nothing."""
    if not view.narrowings:
        return ["no rule narrows anything now"]
    rows = [
        (
            "site" if item.unit is None else f"unit {item.unit}",
            item.what,
            quantity(item.before_w, "W"),
            quantity(item.after_w, "W"),
            item.rule,
        )
        for item in view.narrowings
    ]
    return table(("where", "number", "before", "after", "because of"), rows, right=(2, 3))


def _reason_lines(reason: Reason) -> list[str]:
    where = "site" if reason.unit is None else f"unit {reason.unit}"
    latched = ", LATCHED" if reason.latched else ""
    since = f", for {duration(reason.since_ms)}" if reason.since_ms is not None else ""
    lines = [clean(f"{where}: {reason.name}{latched}{since}")]
    for name, text in (("  is", reason.text), ("  does", reason.action), ("  do", reason.hint)):
        lines += wrap(name, text) if text else ()
    return lines


def why_screen(view: StatusView) -> list[str]:
    lines = [clean(f"mode {view.mode}; {view.standing}".rstrip("; "))]
    if view.first_out:
        lines += wrap("first out", view.first_out)
    if view.functions:
        lines += wrap("functions", view.functions)
    if not view.reasons:
        lines.append("no reason binds the site now")
    for reason in view.reasons:
        lines += ["", *_reason_lines(reason)]
    return [*lines, "", *narrowing_lines(view)]
