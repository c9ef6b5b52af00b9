"""One live screen of a site, 80 by 24, from the controller's own `show status --json`. No cursor tricks beyond home."""

from typing import Any

from edge.units import show

WIDTH = 78
BAR_WIDTH = 20
HOME, CLEAR_LINE, CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"


def bar(value: int | None, top: int) -> str:
    """A signed bar: minus to the left of the middle, plus to the right."""
    if value is None or top <= 0:
        return " " * (2 * BAR_WIDTH + 1)
    count = min(BAR_WIDTH, round(abs(value) * BAR_WIDTH / top))
    left = ("<" * count if value < 0 else "").rjust(BAR_WIDTH)
    right = (">" * count if value > 0 else "").ljust(BAR_WIDTH)
    return f"{left}|{right}"


def power(value: int | None) -> str:
    return "?".rjust(9) if value is None else show(value, "W").rjust(9)


def draw(status: dict[str, Any], title: str, elapsed_s: float) -> list[str]:
    """The lines of the screen."""
    uplink, top_w = status["uplink"], max(status["import_max_w"], 1)
    soc = status["soc_cpct"]
    grams = uplink["grid_intensity_mg_per_kwh"]
    site, now = uplink["site_intensity_mg_per_kwh"], uplink["site_carbon_mg_per_s"]
    pack = uplink["battery_intensity_mg_per_kwh"]
    late = f"p50 {status['late_p50_us'] / 1e3:.2f}  p99 {status['late_p99_us'] / 1e3:.2f}  "
    late += f"max {status['late_max_us'] / 1e3:.2f} ms  late {status['late_count']} of {status['cycle_count']}"
    loads = "  ".join(f"{port['port']} {port['load_permille'] / 10:.0f} %" for port in status["ports"])
    lines = [
        f"Tidewatt Edge  {status['site']}  {title}".ljust(WIDTH - 9) + f"{elapsed_s:>7.0f} s",
        "-" * WIDTH,
        f"grid      {power(status['poc_power_w'])}  {bar(status['poc_power_w'], top_w)}  + import",
        f"sun       {power(status['pv_power_w'])}  {bar(status['pv_power_w'], top_w)}",
        f"battery   {power(status['battery_power_w'])}  {bar(status['battery_power_w'], top_w)}  + discharge",
        f"IT load   {power(status['load_power_w'])}  {bar(status['load_power_w'], top_w)}",
        "",
        f"mode      {status['mode']:<10} SOC {show(soc, 'cpct') if soc is not None else '?':<9}"
        f"setpoint {show(status['battery_set_w'], 'W'):<10} wish {show(status['wish_w'], 'W')}",
        f"band      {show(-status['charge_max_w'], 'W')} .. {show(status['discharge_max_w'], 'W')}"
        f"    grid reference {show(status['reference_w'], 'W')} of {show(status['import_max_w'], 'W')}",
        f"why       {', '.join(reason['name'] for reason in status['reasons']) or 'nothing holds it back'}",
        f"first out {status['first_out'] or '-'}",
        "",
        f"grid CI   {'?' if grams is None else f'{grams / 1e3:.0f} g/kWh'} ({uplink['grid_quality']})"
        f"   consumed {'?' if site is None else f'{site / 1e3:.0f} g/kWh'}"
        f" {'' if now is None else f'{now / 1e3:.2f} g/s'}",
        f"stored    {'?' if pack is None else f'{pack / 1e3:.0f} g/kWh'} in the battery"
        f"   {uplink['stored_carbon_mg'] / 1e6:.2f} kg",
        f"rule      {uplink['rule']}",
        f"invited   {show(uplink['invite_w'], 'W')} of compute",
        "",
        f"cycle     {late}",
        f"bus load  {loads}",
        f"store     {uplink['stored_count']} samples, {uplink['store_bytes'] // 1024} kB "
        f"{uplink['store_fault'] or 'sound'}",
        f"cloud     {'connected' if uplink['connected'] else 'away'}, {uplink['acked_count']} acknowledged, "
        f"{uplink['pending_count']} waiting  {uplink['cloud_fault']}".rstrip(),
        "-" * WIDTH,
        "Ctrl-C ends with the PCS at 0 kW",
    ]
    return [line[:WIDTH] for line in lines]


def frame(lines: list[str]) -> str:
    """The bytes that put the lines over the last ones without a flicker."""
    return HOME + "".join(f"{line}{CLEAR_LINE}\r\n" for line in lines) + CLEAR_REST
