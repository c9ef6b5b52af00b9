"""From what was measured to one verdict a line: good, look (it works, but), FAIL, and what to do. Pure functions."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.commission.hand import bus_device
from edge.commission.live.measure import Measured
from edge.commission.value import mute_hint
from edge.config.options import Config, Port
from edge.errors import Problem
from edge.field.budget import LOAD_MAX_PERMILLE, budget, check_budget
from edge.field.device import BusDevice
from edge.units import show

Word = Literal["good", "look", "FAIL"]
LOST_FAIL_PERMILLE = 50  # one lost answer in twenty: retries hide it until the bus is busy
TURNAROUND_SLACK_US = 3_000  # what adapter and scheduler of this machine add
TURNAROUND_STEP_MS = 5
LOAD_LOOK_PERMILLE = LOAD_MAX_PERMILLE * 8 // 10  # little room is left
BALANCE_MIN_W = 2_000  # below this nothing can be said of a sign
EXCEPTION_HINT = "its registers are not those of the profile: another firmware or model?"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report."""

    subject: str  # device, port or "site"
    check: str
    word: Word
    text: str


def device_lines(device: BusDevice, seen: Measured) -> Iterator[Line]:
    """Everything that can be said of one device."""
    name, refused_count = seen.device, seen.sent_count - seen.ok_count - sum(seen.failures.values())
    if not seen.ok_count and not seen.refused:
        failures = ", ".join(f"{count} x {text}" for text, count in seen.failures.items())
        yield Line(name, "answers", "FAIL", f"0 of {seen.sent_count} ({failures}): {mute_hint(device.settings)}")
        return
    yield _answers(seen, refused_count)
    yield from _identity(device, seen)
    for block, code in seen.refused.items():
        yield Line(name, "registers", "FAIL", f"block {block} is refused (exception {code}): {EXCEPTION_HINT}")
    if seen.missing:
        yield Line(name, "values", "FAIL", f"{', '.join(seen.missing)}: not available or outside their range")
    if seen.ok_count:
        yield _latency(device, seen)
    yield from _watchdog(device, seen)


def _answers(seen: Measured, refused_count: int) -> Line:
    count = seen.sent_count - refused_count
    text = f"{seen.ok_count} of {count}" if count else f"refuses all {seen.sent_count}"
    if not seen.failures:
        return Line(seen.device, "answers", "good" if count else "FAIL", text)
    failed_count = sum(seen.failures.values())
    word: Word = "FAIL" if 1000 * failed_count > LOST_FAIL_PERMILLE * count else "look"
    kinds = ", ".join(f"{number} x {kind}" for kind, number in seen.failures.items())
    return Line(seen.device, "answers", word, f"{text}; {kinds}: check termination, bias, shield and gap_ms")


def _identity(device: BusDevice, seen: Measured) -> Iterator[Line]:
    profile = device.profile
    if seen.identity_fault:
        yield Line(seen.device, "identity", "FAIL", seen.identity_fault)
    elif seen.identity:
        yield Line(seen.device, "identity", "good", f"says {seen.identity!r}, as {profile.id} wants")
    elif profile.identify is None and profile.constants:
        yield Line(
            seen.device, "identity", "good", f"laid out as {profile.id} has it ({len(profile.constants)} constants)"
        )
    elif profile.identify is None:
        yield Line(seen.device, "identity", "look", f"{profile.id} cannot ask it who it is: compare with its label")


def _latency(device: BusDevice, seen: Measured) -> Line:
    """Against what the budget of the bus is made with."""
    claimed_ms, measured_us = device.profile.link.turnaround_ms, seen.turnaround_p99_us
    text = f"p50 {seen.latency_p50_us / 1000:.1f} ms, p99 {seen.latency_p99_us / 1000:.1f} ms"
    measured_ms = f"{measured_us / 1000:.0f} ms"
    if measured_us > 1000 * claimed_ms + TURNAROUND_SLACK_US:
        put = f"put turnaround_ms = {turnaround_ms(measured_us)}"
        text += f"; profile says {claimed_ms} ms, measured p99 {measured_ms}: {put} in {device.profile.id}"
        return Line(seen.device, "latency", "look", text)
    return Line(
        seen.device, "latency", "good", f"{text}; the device's part {measured_ms}, profile says {claimed_ms} ms"
    )


def turnaround_ms(measured_us: int) -> int:
    """What to put into the profile: the next multiple of five above it."""
    step_us = 1000 * TURNAROUND_STEP_MS
    return TURNAROUND_STEP_MS * -(-measured_us // step_us)


def _watchdog(device: BusDevice, seen: Measured) -> Iterator[Line]:
    name, wanted_s, holds_s = seen.device, seen.watchdog_wanted_s, seen.watchdog_s
    if wanted_s is None:
        if device.settings.use in ("pcs", "bms"):
            text = "the profile knows no comm-loss timer: RUN is refused without one"
            yield Line(name, "watchdog", "FAIL", text)
        return
    loss = f"on loss: {device.profile.watchdog.on_loss}" if device.profile.watchdog else ""
    if holds_s is None:
        yield Line(name, "watchdog", "FAIL", "cannot be read back: RUN is refused without it")
    elif seen.guarded is False:
        yield Line(name, "watchdog", "FAIL", f"holds {holds_s:g} s, wanted {wanted_s:g} s, and was not read back yet")
    elif holds_s == wanted_s:
        done = "written and read back" if seen.guarded else "as wanted"
        yield Line(name, "watchdog", "good", f"{holds_s:g} s, {done}; {loss}")
    else:
        later = "the controller writes it when it starts"
        yield Line(name, "watchdog", "look", f"holds {holds_s:g} s, wanted {wanted_s:g} s: {later}; {loss}")


def port_lines(config: Config, devices: Sequence[BusDevice], seen: Sequence[Measured]) -> Iterator[Line]:
    """The budget of each bus once more, with the times the devices really take.

    What does not hold with the usual time fails; what does not hold with the slowest of a hundred is to be looked at.
    """
    usual = _as_measured(config, devices, {item.device: item.turnaround_p50_us for item in seen if item.ok_count})
    slow = _as_measured(config, devices, {item.device: item.turnaround_p99_us for item in seen if item.ok_count})
    planned, measured = budget(config, devices), budget(config, usual)
    usual_faults, slow_faults = check_budget(config, usual), check_budget(config, slow)
    answered = {item.device for item in seen if item.ok_count}
    for index, port in enumerate(config.port):
        loads = [
            sum(row.wire_us / row.period_ms for row in rows if row.port == port.name) for rows in (planned, measured)
        ]
        if not any(device.settings.port == port.name and device.name in answered for device in devices):
            yield Line(
                port.name, "bus", "look", f"{loads[0] / 10:.0f} % busy as planned; nobody answered to measure it"
            )
            continue
        text = (
            f"{loads[0] / 10:.0f} % busy as planned, {loads[1] / 10:.0f} % as measured{_slowest(port, devices, seen)}"
        )
        fault = _first_fault(usual_faults, index)
        if fault:
            yield Line(port.name, "bus", "FAIL", f"{text}; {fault}")
        elif _first_fault(slow_faults, index):
            yield Line(port.name, "bus", "look", f"{text}; if all were that slow: {_first_fault(slow_faults, index)}")
        else:
            yield Line(port.name, "bus", "look" if loads[1] > LOAD_LOOK_PERMILLE else "good", text)


def _first_fault(problems: Sequence[Problem], index: int) -> str:
    return next((problem.allowed for problem in problems if problem.key.startswith(f"port[{index}].")), "")


def _slowest(port: Port, devices: Sequence[BusDevice], seen: Sequence[Measured]) -> str:
    mine = {device.name for device in devices if device.settings.port == port.name}
    answered = [item for item in seen if item.device in mine and item.ok_count]
    slowest = max(answered, key=lambda item: item.turnaround_p99_us, default=None)
    return "" if slowest is None else f"; slowest {slowest.device}, {slowest.turnaround_p99_us / 1000:.0f} ms"


def _as_measured(config: Config, devices: Sequence[BusDevice], took_us: Mapping[str, int]) -> list[BusDevice]:
    """The devices with the turnaround they have, where that is more than their profiles say."""
    found = []
    for device in devices:
        link, us = device.profile.link, took_us.get(device.name, 0)
        if us > 1000 * link.turnaround_ms + TURNAROUND_SLACK_US:
            slower = dataclasses.replace(link, turnaround_ms=turnaround_ms(us))
            found.append(bus_device(config, device.settings, dataclasses.replace(device.profile, link=slower)))
        else:
            found.append(device)
    return found


def balance_line(devices: Sequence[BusDevice], seen: Sequence[Measured]) -> Line | None:
    """Does the POC meter agree with the others? With its sign turned it would agree much better: it is turned.

    None: there is no meter of the load, or one of them said nothing.
    """
    powers_w: dict[str, int | None] = {}
    for item in seen:
        use = next(device.settings.use for device in devices if device.name == item.device)
        powers_w[use] = None if item.power_w is None else (powers_w.get(use) or 0) + item.power_w
    poc_w, load_w = powers_w.get("poc"), powers_w.get("load")
    if poc_w is None or load_w is None:
        return None
    rest_w = load_w - sum(powers_w.get(use) or 0 for use in ("pv", "pcs", "genset"))
    text = f"POC {show(poc_w, 'W')}, load - PV - battery {show(rest_w, 'W')}"
    if min(abs(poc_w), abs(rest_w)) < BALANCE_MIN_W:
        return Line("site", "balance", "good", f"{text}: too small to judge a sign; do the sign test")
    if abs(poc_w + rest_w) < abs(poc_w - rest_w):
        hint = "is the meter's CT turned? the sign test proves it"
        return Line("site", "balance", "FAIL", f"{text}: opposite signs, {hint}")
    return Line("site", "balance", "good", f"{text}: the same sign; the difference is what no meter sees")


def clock_line(synchronised: bool | None) -> Line:
    """The gateway's clock: control does not need it, stamps and TLS do."""
    if synchronised is None:
        return Line("site", "clock", "look", "this system does not say whether its clock is synchronised")
    if synchronised:
        return Line("site", "clock", "good", "the gateway's clock is synchronised")
    text = "the gateway's clock is not synchronised: control does not mind, stamps and TLS do; check NTP"
    return Line("site", "clock", "look", text)
