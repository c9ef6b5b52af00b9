"""The sign test: a small battery power, to and fro, must move the meter at the grid connection the right way.

It begins and ends in SERVICE, so that somebody has decided it and nothing else wishes meanwhile. The power itself is a
manual wish of the console that dies within LEASE_MS: the kernel is in RUN, with every interlock and limit alive, and
whatever ends the test (its end, a reason, a person, its own clock, this process) ends at 0 W. One `step` after each cycle;
it gives Requests and knows no bus.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.commission.average.fit import Lag
from edge.commission.average.readings import StepReadings
from edge.commission.live.effect import PAIRS_MAX, Effect, Level, effect_of, is_decided, swing_order
from edge.config.options import Config
from edge.control.authority import COMMAND_HOLD, COMMAND_SERVICE
from edge.control.kernel import Mode, SiteCause, UnitCause, members, site_row, unit_row
from edge.model import Request
from edge.units import show

STEP_PERMILLE = 50  # of the battery's rating: seen by any meter, felt by nobody
LEASE_MS, RENEW_MS = 2_000, 500
START_MAX_MS = 120_000  # precharge and soft start of a slow cabinet
ZERO_MS = 3_000  # at 0 W before the first step
SETTLE_MS, DWELL_MS = 2_000, 5_000  # of a step: PCS and meters follow, then 3 s are averaged
UNEVEN_MS, UNEVEN_MAX_MS = (
    370,
    1_000,
)  # longer by so much each: no step falls into a meter's own rhythm as the last one did
AGAINST_COUNT = 8  # readings after which a PCS that goes the wrong way is believed; its interlock trips after 5 s
SOC_MARGIN_CPCT = 500  # from both ends: nothing may taper while it is measured
BAND_SLACK_W = 200  # a count or two of a PCS's setpoint
LEAVE_MS = 5_000  # to be back in SERVICE at 0 W

Phase = Literal["starting", "zero", "steps", "leaving", "done"]
FORBIDDING = 2  # tw_level DERATE: whatever is at it or above bends what is measured


@dataclass(slots=True)
class _Sums:
    """What is averaged over one step."""

    asked_w: int
    since_mono_ms: int
    poc_w: list[int] = field(default_factory=list)
    pcs_w: list[int] = field(default_factory=list)
    rest_w: list[int] = field(default_factory=list)
    current_da: list[int] = field(default_factory=list)


class SignTest:
    """One test of the whole battery. `refusal` says beforehand why it cannot be; `fault` afterwards why it ended early."""

    def __init__(self, config: Config, reasons: Callable[[], str], readings: StepReadings) -> None:
        """`reasons`: what binds the site now, in words; `readings`: what is measured beside the sign."""
        rating_w = sum(min(unit.power_charge_max_w, unit.power_discharge_max_w) for unit in config.unit)
        self.step_w = rating_w * STEP_PERMILLE // 1000
        self.phase: Phase = "starting"
        self.fault = ""
        self.against = False  # the PCS's own meter goes against its setpoint
        self.levels: list[Level] = []
        self._config, self._reasons = config, reasons
        self.readings = readings
        self._settle_ms, self._dwell_ms = SETTLE_MS + readings.lag_ms, DWELL_MS + readings.lag_ms
        self._phase_mono_ms = -1
        self._renewed_mono_ms = -1
        self._poc_mono_ms = -1
        self._sums = _Sums(0, 0)
        self._left_service = False

    # ---- before

    def refusal(self, tw: Any, out: Any) -> str:
        """In words; "" when nothing speaks against it."""
        limits, step_w = self._config.limits, self.step_w
        if out.mode != Mode.SERVICE:
            return (
                f"the site is in {Mode(out.mode).name}: it begins in SERVICE, so that nobody else wishes; type: service"
            )
        causes = _forbidding(out, len(self._config.unit))
        if causes:
            return f"{', '.join(causes)}: see `why`; the sign test waits until that is mended"
        if not 0 <= tw.poc_age_ms <= limits.poc_age_fade_ms:
            return "the meter at the grid connection does not answer: see `show devices`"
        low_w, high_w = tw.poc_power_w - step_w, tw.poc_power_w + step_w
        if high_w > limits.import_max_w:
            return (
                f"import {show(tw.poc_power_w, 'W')} + step {show(step_w, 'W')} passes import_max_w: wait for less load"
            )
        if low_w < -limits.export_max_w:
            return (
                f"the POC meter says {show(tw.poc_power_w, 'W')}; less a step of {show(step_w, 'W')} passes export_max_w = "
                f"{show(limits.export_max_w, 'W')}: wait for more load. If the site imports now, the meter is turned: "
                "turn its CT, or its sign in the profile"
            )
        return self._battery_refusal(tw)

    def _battery_refusal(self, tw: Any) -> str:
        for index, unit in enumerate(self._config.unit):
            seen, name = tw.unit[index], unit.bms
            if not 0 <= seen.bms_age_ms <= unit.bms_age_max_ms or not 0 <= seen.pcs_age_ms <= unit.pcs_age_max_ms:
                return f"unit {index}: {name} or {unit.pcs} does not answer: see `show devices`"
            low, high = unit.soc_min_cpct + SOC_MARGIN_CPCT, unit.soc_max_cpct - SOC_MARGIN_CPCT
            if not low <= seen.soc_cpct <= high:
                return (
                    f"unit {index}: SOC {show(seen.soc_cpct, 'cpct')} must be {show(low, 'cpct')}..{show(high, 'cpct')}, "
                    "away from where power tapers: charge or discharge it first"
                )
        return ""

    # ---- after each cycle

    def step(self, now_mono_ms: int, tw: Any, out: Any, commands: int) -> list[Request]:
        """What to ask for now. `tw`, `out`: the kernel's input and output of this cycle; `commands`: what stands."""
        if self._phase_mono_ms < 0:
            self._phase_mono_ms = now_mono_ms
        if self.phase in ("done", "leaving"):
            return self._leave(now_mono_ms, tw, out, commands)
        self._watch(now_mono_ms, out, commands)
        if self.fault:
            return self._leave(now_mono_ms, tw, out, commands)
        asked: list[Request] = []
        if not self._left_service:
            self._left_service = True
            asked.append(Request("console", "resume", reason="sign test"))
        waited_ms = now_mono_ms - self._phase_mono_ms
        if self.phase == "starting" and out.mode == Mode.RUN:
            self._enter("zero", now_mono_ms)
        elif self.phase == "zero" and waited_ms >= ZERO_MS:
            self._enter("steps", now_mono_ms)
            self._begin_level(now_mono_ms)
        elif self.phase == "steps":
            self._measure(now_mono_ms, tw)
        if self.phase == "leaving":
            return [*asked, *self._leave(now_mono_ms, tw, out, commands)]
        return asked + self._renew(now_mono_ms)

    def stop(self, why: str) -> None:
        """Ends it at the next cycle."""
        if self.phase not in ("leaving", "done"):
            self.fault = self.fault or why

    @property
    def asked_w(self) -> int:
        return self._sums.asked_w if self.phase == "steps" else 0

    def progress(self) -> str:
        """One line."""
        if self.phase == "steps":
            return f"step {len(self.levels) + 1} of {2 * PAIRS_MAX} at most: battery {show(self.asked_w, 'W')}"
        words = {"starting": "starting the battery, at 0 W", "zero": "at 0 W", "leaving": "back to 0 W and SERVICE"}
        return words.get(self.phase, "done")

    def effect(self) -> Effect | None:
        return effect_of(self.levels)

    def _enter(self, phase: Phase, now_mono_ms: int) -> None:
        self.phase, self._phase_mono_ms = phase, now_mono_ms

    def _begin_level(self, now_mono_ms: int) -> None:
        self._sums = _Sums(swing_order(len(self.levels)) * self.step_w, now_mono_ms)
        self.readings.begin(now_mono_ms)
        self._renewed_mono_ms = -1

    def _renew(self, now_mono_ms: int) -> list[Request]:
        """The wish, before its lease ends."""
        if self._renewed_mono_ms >= 0 and now_mono_ms - self._renewed_mono_ms < RENEW_MS:
            return []
        self._renewed_mono_ms = now_mono_ms
        expires_mono_ms = now_mono_ms + LEASE_MS
        return [Request("console", "power", self.asked_w, expires_mono_ms, "sign test", form="manual")]

    def _watch(self, now_mono_ms: int, out: Any, commands: int) -> None:
        """Everything that ends it."""
        waited_ms = now_mono_ms - self._phase_mono_ms
        if commands & COMMAND_HOLD or (self._left_service and waited_ms > RENEW_MS and commands & COMMAND_SERVICE):
            self.stop("somebody asked for hold or service")
        elif self.phase == "starting":
            if waited_ms > START_MAX_MS:
                self.stop(f"the battery did not come to RUN within {START_MAX_MS // 1000} s: {self._reasons()}")
            elif self._left_service and _forbidding(out, len(self._config.unit)):
                self.stop(f"not while there is: {', '.join(_forbidding(out, len(self._config.unit)))}")
        elif out.mode != Mode.RUN:
            self.stop(f"the site left RUN: {self._reasons()}")
        elif self.phase == "zero" and waited_ms >= ZERO_MS - RENEW_MS and self._is_narrow(out):
            allowed = f"{show(out.band_min_w, 'W')} .. {show(out.band_max_w, 'W')}"
            self.stop(f"the kernel allows {allowed} only, +-{show(self.step_w, 'W')} is needed: {self._reasons()}")
        elif self._is_settled(now_mono_ms) and abs(out.battery_w - self.asked_w) > BAND_SLACK_W:
            given = f"asked {show(self.asked_w, 'W')}, the kernel gave {show(out.battery_w, 'W')}"
            self.stop(f"{given}: {self._reasons()}")

    def _is_settled(self, now_mono_ms: int) -> bool:
        return self.phase == "steps" and now_mono_ms - self._sums.since_mono_ms >= self._settle_ms

    def _is_narrow(self, out: Any) -> bool:
        return bool(out.band_min_w > -self.step_w or out.band_max_w < self.step_w)

    # ---- measuring

    def _measure(self, now_mono_ms: int, tw: Any) -> None:
        poc_mono_ms = now_mono_ms - tw.poc_age_ms
        sums, since_ms = self._sums, now_mono_ms - self._sums.since_mono_ms
        if since_ms >= self._settle_ms and poc_mono_ms > self._poc_mono_ms:
            self._poc_mono_ms = poc_mono_ms
            count = len(self._config.unit)
            sums.poc_w.append(tw.poc_power_w)
            sums.pcs_w.append(sum(tw.unit[index].power_w for index in range(count)))
            sums.current_da.append(sum(tw.unit[index].pack_current_da for index in range(count)))
            rest_w = self._rest_w(tw)
            if rest_w is not None:
                sums.rest_w.append(rest_w)
        if len(sums.pcs_w) >= AGAINST_COUNT and _mean(sums.pcs_w) * sums.asked_w < -(sums.asked_w**2) / 2:
            self.against = True
            self.stop(f"told {show(sums.asked_w, 'W')}, the PCS says {show(round(_mean(sums.pcs_w)), 'W')}")
            return
        if since_ms < self._dwell_ms + UNEVEN_MS * len(self.levels) % UNEVEN_MAX_MS:
            return
        if not sums.poc_w:
            self.stop("the POC meter gave no new value during a step")
            return
        whole = len(sums.rest_w) == len(sums.poc_w)
        self.levels.append(
            Level(
                sums.asked_w, _mean(sums.pcs_w), _mean(sums.poc_w), _mean(sums.rest_w) if whole else None,
                _mean(sums.current_da),
            )
        )  # fmt: skip
        if len(self.levels) < 2 or self.levels[-2].asked_w != sums.asked_w:
            self.readings.end()
        effect = effect_of(self.levels) if len(self.levels) % 2 == 0 else None
        if self._has_result(effect) or len(self.levels) >= 2 * PAIRS_MAX:
            self._enter("leaving", now_mono_ms)
        else:
            self._begin_level(now_mono_ms)

    def _has_result(self, effect: Effect | None) -> bool:
        """The sign, and where the meter follows the battery at all, also how late."""
        if effect is None or not is_decided(effect):
            return False
        follows = effect.follows.word == "right" and effect.poc.word in ("right", "reversed")
        return not follows or isinstance(self.readings.lag(), Lag)

    def _rest_w(self, tw: Any) -> int | None:
        """The POC's power less that of load and PV: the battery, and what no meter sees. None: no fresh load meter."""
        limit_ms = self._config.limits.poc_age_max_ms
        uses = {device.use for device in self._config.device}
        if "load" not in uses or not 0 <= tw.load_age_ms <= limit_ms:
            return None
        if "pv" in uses and not 0 <= tw.pv_age_ms <= 2 * limit_ms:
            return None
        return int(tw.poc_power_w - tw.load_power_w + (tw.pv_power_w if "pv" in uses else 0))

    # ---- the end

    def _leave(self, now_mono_ms: int, tw: Any, out: Any, commands: int) -> list[Request]:
        """Into SERVICE, which is 0 W; it is over when the plant is there."""
        if self.phase == "done":
            return []
        asked: list[Request] = []
        if self.phase != "leaving":
            self._enter("leaving", now_mono_ms)
        if self._left_service and not commands & COMMAND_SERVICE:
            self._left_service = False
            asked = [Request("console", "service", reason="sign test")]
        power_w = sum(tw.unit[index].power_w for index in range(len(self._config.unit)))
        waited_ms = now_mono_ms - self._phase_mono_ms
        if out.mode == Mode.SERVICE and out.battery_w == 0 and abs(power_w) <= BAND_SLACK_W:
            self._enter("done", now_mono_ms)
        elif waited_ms > LEAVE_MS:
            self.fault = self.fault or f"after {LEAVE_MS // 1000} s the battery is still at {show(power_w, 'W')}"
            self._enter("done", now_mono_ms)
        return asked


def _mean(values: list[int]) -> float:
    return sum(values) / len(values)


def _forbidding(out: Any, units_count: int) -> list[str]:
    """Causes that would bend or end the test: everything that narrows power, but what SERVICE and a stop are made of."""
    normal_site = {SiteCause.SERVICE, SiteCause.NOT_ASKED, SiteCause.HOLD, SiteCause.NO_UNIT, SiteCause.POC_FADE}
    normal_unit = {UnitCause.PCS_STOPPED, UnitCause.BMS_OPEN, UnitCause.UNGUARDED, UnitCause.COOLDOWN}
    found = [
        c.name.lower() for c in members(SiteCause, out.why) if c not in normal_site and site_row(c).level >= FORBIDDING
    ]
    for index in range(units_count):
        unit = out.unit[index]
        causes = members(UnitCause, unit.why | unit.latched)
        found += [
            f"unit {index} {c.name.lower()}" for c in causes if c not in normal_unit and unit_row(c).level >= FORBIDDING
        ]
    return found
