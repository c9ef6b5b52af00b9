"""What a sign test means and which file or cable to change: from numbers to words. Pure functions."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edge.commission.live.effect import SCALE_SLACK, Effect, Gain
from edge.commission.live.sign import SignTest
from edge.commission.live.verdicts import Line, Word
from edge.config.options import Config
from edge.field.profile import Profile
from edge.units import show

CHECK = "sign test"


def result_lines(config: Config, profiles: Mapping[str, Profile], test: SignTest) -> list[Line]:
    """The verdict, then what is to be changed, then the numbers."""
    effect, poc = test.effect(), _name(config, "poc")
    if test.against:
        place = _place(profiles, config.unit[0].pcs, "pcs.power")
        text = f"the PCS's own power moves against its setpoint ({test.fault})"
        return [Line(config.unit[0].pcs, CHECK, "FAIL", f"{text}: turn sign of {place}, or of its write power_set")]
    if effect is None or (test.fault and effect.poc.word == "noise"):
        return [Line(poc, CHECK, "FAIL", f"no result: {test.fault or 'it ended too early'}")]
    word, text = _verdict(config, profiles, test, effect)
    lines = [Line(poc, CHECK, word, text), Line(poc, "numbers", "good", _numbers(test, effect))]
    if effect.pack is not None and effect.pack.word == "reversed" and effect.poc.word == "right":
        names = ", ".join(unit.bms for unit in config.unit)
        place = _place(profiles, config.unit[0].bms, "bms.pack_current")
        lines.append(Line(names, "current", "FAIL", f"its current has the other sign: turn sign of {place}"))
    if test.fault:
        lines.append(Line(poc, "end", "FAIL", test.fault))
    return lines


def _verdict(config: Config, profiles: Mapping[str, Profile], test: SignTest, effect: Effect) -> tuple[Word, str]:
    pcs, poc = config.unit[0].pcs, _name(config, "poc")
    if effect.follows.word == "none":
        return (
            "FAIL",
            f"the PCS does not follow: told +-{show(test.step_w, 'W')}, moved by {_part(effect.follows)}; local mode?",
        )
    match effect.poc.word:
        case "reversed" if effect.pack is not None and effect.pack.word == "reversed":
            place = _place(profiles, pcs, "pcs.power")
            return (
                "FAIL",
                f"reversed, and the packs' current is too: {pcs} turns; sign of its write power_set and of {place}",
            )
        case "reversed":
            place = _place(profiles, poc, "meter.power")
            sure = "; the packs' current moves as told, so it is the meter" if effect.pack is not None else ""
            return "FAIL", f"reversed: discharge raises {poc}{sure}. Turn its CTs, or sign of {place}"
        case "none":
            return "FAIL", (
                f"no effect: {poc} moves by {_part(effect.poc)} of what the battery does. Its CTs are not on the feed "
                "that the battery is behind, or another meter has its address"
            )
        case "noise":
            return "FAIL", (
                f"not distinguishable from load noise: {_part(effect.poc)} after {effect.pairs_count} pairs; the noise "
                f"is as much as +-{show(_noise_w(effect), 'W')}. Test again when the load is steady"
            )
    if abs(effect.poc.mean - 1) > SCALE_SLACK + effect.poc.half:
        return "look", f"right, but {poc} moves by {_part(effect.poc)} of what the PCS says: CT ratio or scale?"
    return "good", f"right: discharge lowers {poc} by {_part(effect.poc)} of what the battery does"


def _numbers(test: SignTest, effect: Effect) -> str:
    steps = f"{effect.pairs_count} pairs of +-{show(test.step_w, 'W')}"
    moved = f"PCS moved {show(round(effect.swing_w), 'W')} from end to end"
    noise = f"noise +-{show(_noise_w(effect), 'W')} (99 %)"
    return f"{steps}; {moved}; {noise}, {'load and PV meters taken out' if effect.with_load else 'POC meter alone'}"


def _noise_w(effect: Effect) -> int:
    return round(abs(effect.poc.half * effect.swing_w))


def _part(gain: Gain) -> str:
    return f"{100 * gain.mean:.0f} +- {100 * gain.half:.0f} %"


def _name(config: Config, use: str) -> str:
    return next((device.name for device in config.device if device.use == use), use)


def _place(profiles: Mapping[str, Profile], device: str, role: str) -> str:
    """Where in which file the sign of a role stands."""
    profile = profiles[device]
    points = [point for block in profile.blocks for point in block.points if point.role == role]
    name = points[0].name if points else role
    now = points[0].sign if points else 1
    return f"point {name} (now {now}) in profile {profile.id}"


def result_data(config: Config, lines: list[Line], test: SignTest) -> dict[str, Any]:
    """For machines. word: right | reversed | none | noise, or "" without a result."""
    effect = test.effect()
    return {
        "ok": all(line.word != "FAIL" for line in lines),
        "word": effect.poc.word if effect is not None and effect.follows.word == "right" else "",
        "step_w": test.step_w,
        "fault": test.fault,
        "effect": asdict(effect) if effect is not None else None,
        "lines": [asdict(line) for line in lines],
        "site": config.site.id,
    }
