"""The mission rule of v1: thresholds on grid intensity and IT load, with hysteresis and a minimum dwell. Pure.

    surge   intensity high and IT load above the surge mark -> ask to discharge
    clean   intensity low                                   -> ask to charge, invite the cluster
    idle    between, or something needed is unknown         -> ask for nothing, and say why

It only wishes: every request is a lease and the kernel decides. Unknown or stale data ends a phase at once; a change of
mind waits for the dwell. No forecast and no price belong here.
"""

from dataclasses import dataclass
from typing import Literal

from edge.config.options import Rule
from edge.model import Request
from edge.plan.invite import Invitation
from edge.plan.signals.base import STEERING, IntensityReading
from edge.units import show

Phase = Literal["idle", "surge", "clean"]

DWELL_MS = 5_000  # training load spikes every 1 s to 2 s: the battery must not follow each one over the mark
HYSTERESIS_PERMILLE = 50  # 20 g at 400 g/kWh: more than the largest 5-minute step of ERCOT (16 g)
SOC_RESERVE_CPCT = 2_000  # the rule leaves this to the smoothing and to grid limits
SOC_FULL_CPCT = 9_000
SOC_HYSTERESIS_CPCT = 200


@dataclass(frozen=True, slots=True)
class RuleState:
    """What the rule remembers between two calls. `since_mono_ms` None: no change yet, the dwell is free."""

    phase: Phase = "idle"
    since_mono_ms: int | None = None
    soc_blocked: bool = False  # the SOC ended a wish and has not come back by the hysteresis


@dataclass(frozen=True, slots=True)
class RuleInput:
    """What the rule looks at, once a second."""

    mono_ms: int
    intensity: IntensityReading
    load_power_w: int | None
    soc_cpct: int | None


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """What the rule asks for now; `state` goes into the next call."""

    state: RuleState
    request: Request | None
    invitation: Invitation | None
    text: str


def choose_phase(rule: Rule, phase: Phase, intensity_mg_per_kwh: int, load_power_w: int | None) -> tuple[Phase, str]:
    """The phase the values call for, each mark shifted in favour of the present phase; dwell is not its business."""
    grams = f"{intensity_mg_per_kwh // 1000} g/kWh"
    high_mg = rule.intensity_high_g_per_kwh * (1000 - HYSTERESIS_PERMILLE * (phase == "surge"))
    low_mg = rule.intensity_low_g_per_kwh * (1000 + HYSTERESIS_PERMILLE * (phase == "clean"))
    if intensity_mg_per_kwh >= high_mg:
        if rule.load_surge_w == 0:
            return "surge", f"{grams} is high"
        if load_power_w is None:
            return "idle", f"{grams} is high, but the IT load is unknown"
        surge_w = rule.load_surge_w * (1000 - HYSTERESIS_PERMILLE * (phase == "surge")) // 1000
        if load_power_w > surge_w:
            return "surge", f"{grams} is high and the IT load {show(load_power_w, 'W')} surges"
        return "idle", f"{grams} is high, the IT load {show(load_power_w, 'W')} does not surge"
    if intensity_mg_per_kwh <= low_mg:
        return "clean", f"{grams} is low"
    return "idle", f"{grams} is between low and high"


def choose_request(rule: Rule, state: RuleState, seen: RuleInput) -> RuleChoice:
    """One second of the rule: (request, invitation, text) and the state for the next second."""
    reading = seen.intensity
    if not rule.enabled:
        return RuleChoice(_move(state, "idle", seen.mono_ms), None, None, "idle: rule disabled")
    if reading.value_mg_per_kwh is None or reading.quality not in STEERING:
        word = "unknown" if reading.value_mg_per_kwh is None else reading.quality
        return RuleChoice(_move(state, "idle", seen.mono_ms), None, None, f"idle: grid intensity {word}")
    wanted, why = choose_phase(rule, state.phase, reading.value_mg_per_kwh, seen.load_power_w)
    blind = state.phase == "surge" and rule.load_surge_w > 0 and seen.load_power_w is None
    since_ms = state.since_mono_ms
    waiting = since_ms is not None and 0 <= seen.mono_ms - since_ms < DWELL_MS
    if wanted != state.phase and waiting and not blind:
        wanted, why = state.phase, f"{why}; keeps {state.phase} for its minimum time"
    state = _move(state, wanted, seen.mono_ms)
    if state.phase == "idle":
        return RuleChoice(state, None, None, f"idle: {why}")
    return _ask(rule, state, seen, reading.value_mg_per_kwh, why)


def _move(state: RuleState, phase: Phase, mono_ms: int) -> RuleState:
    return state if phase == state.phase else RuleState(phase, mono_ms, False)


def _ask(rule: Rule, state: RuleState, seen: RuleInput, intensity_mg_per_kwh: int, why: str) -> RuleChoice:
    clean = state.phase == "clean"
    invitation = Invitation(rule.invite_w, intensity_mg_per_kwh) if clean and rule.invite_w > 0 else None
    power_w = -rule.charge_w if clean else rule.discharge_w
    blocked, limit = _blocked_by_soc(state, seen.soc_cpct)
    state = RuleState(state.phase, state.since_mono_ms, blocked)
    if power_w == 0:
        return RuleChoice(state, None, invitation, f"{state.phase}: {why}; no power configured")
    if blocked:
        return RuleChoice(state, None, invitation, f"{state.phase}: {why}; no power, {limit}")
    verb = "charge" if clean else "discharge"
    text = f"{verb} {show(abs(power_w), 'W')}: {why}"
    request = Request("rule", "power", power_w, seen.mono_ms + rule.lease_ms, why)
    return RuleChoice(state, request, invitation, text)


def _blocked_by_soc(state: RuleState, soc_cpct: int | None) -> tuple[bool, str]:
    if soc_cpct is None:
        return True, "SOC unknown"
    margin_cpct = SOC_HYSTERESIS_CPCT if state.soc_blocked else 0
    if state.phase == "clean":
        return soc_cpct >= SOC_FULL_CPCT - margin_cpct, f"SOC {show(soc_cpct, 'cpct')} is full enough"
    return soc_cpct <= SOC_RESERVE_CPCT + margin_cpct, f"SOC {show(soc_cpct, 'cpct')} is the reserve"
