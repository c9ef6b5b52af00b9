"""A verdict as one readable screen, as one line of a list, or as JSON. Text only; nothing here judges."""

from collections.abc import Iterator
from typing import Any

from hil.faults import Fault
from hil.scenario.model import Look, Played, Sample, Scenario, Step, Verdict

WIDTH, TEXT_WIDTH = 125, 76  # what is cut here is whole in --json
LINES_MAX = 40  # of the time line; what comes and goes with every lost answer is counted instead
# Reasons that come and go with the power and tell nobody anything here.
QUIET = frozenset({
    "ramp", "import_limit", "export_limit", "charge_bound", "discharge_bound", "unit current_limit", "unit slew",
})  # fmt: skip
Line = tuple[float, str, str]  # seconds, who, what


def screen(verdict: Verdict) -> list[str]:
    """The lines of one scenario."""
    played, scenario = verdict.played, verdict.played.scenario
    head = f"{scenario.name}: {scenario.description}"
    lines = [*_wrap(head), f"{played.level} level, {scenario.duration_s:g} s of the site, seed {played.seed}, "
             f"{played.cpu_s:.1f} s of CPU", ""]  # fmt: skip
    times = timeline(played)
    lines += [f"{at_s:>8.1f} s  {who:<8}{what}" for at_s, who, what in times[:LINES_MAX]]
    if len(times) > LINES_MAX:
        lines.append(f"{'':>11} and {len(times) - LINES_MAX} more changes")
    lines += ["", *_table(verdict), ""]
    return [*(line if len(line) <= WIDTH else line[: WIDTH - 3] + "..." for line in lines), _sum(verdict)]


def brief(verdict: Verdict) -> list[str]:
    """One line, and one for everything that failed."""
    played = verdict.played
    failed = [finding for finding in (*verdict.expectations, *verdict.invariants) if not finding.passed]
    count = len(verdict.expectations) + len(verdict.invariants)
    word = "FAIL" if failed else "PASS"
    line = f"{word}  {played.scenario.name:<26}{count - len(failed):>3} of {count:<3} in {played.cpu_s:>5.1f} s"
    return [line, *(f"        {finding.text}: {finding.seen}" for finding in failed)]


def as_data(verdict: Verdict) -> dict[str, Any]:
    """For machines."""
    played = verdict.played
    return {
        "scenario": played.scenario.name,
        "level": played.level,
        "seed": played.seed,
        "duration_s": played.scenario.duration_s,
        "cpu_s": round(played.cpu_s, 3),
        "passed": verdict.passed,
        "timeline": [{"at_s": round(at_s, 3), "who": who, "what": what} for at_s, who, what in timeline(played)],
        "expectations": [_finding(finding) for finding in verdict.expectations],
        "invariants": [_finding(finding) for finding in verdict.invariants],
    }


def _finding(finding: Any) -> dict[str, Any]:
    return {"text": finding.text, "passed": finding.passed, "seen": finding.seen}


def _table(verdict: Verdict) -> Iterator[str]:
    yield f"{'':<6}{'expected':<{TEXT_WIDTH}}seen"
    for finding in (*verdict.expectations, *verdict.invariants):
        yield f"{'PASS' if finding.passed else 'FAIL':<6}{finding.text:<{TEXT_WIDTH}}{finding.seen}"


def _sum(verdict: Verdict) -> str:
    findings = (*verdict.expectations, *verdict.invariants)
    failed = sum(not finding.passed for finding in findings)
    return f"FAIL: {failed} of {len(findings)}" if failed else f"PASS: all {len(findings)}"


def _wrap(text: str, width: int = 110) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = "  "
        line += ("" if not line.strip() else " ") + word
    return [*lines, line]


# ---- the time line


def timeline(played: Played) -> list[Line]:
    """What was done, what went wrong, and what changed because of it, in order."""
    lines = [*_deeds(played.scenario), *_cycles(played.looks), *_plant(played.samples)]
    return sorted(lines, key=lambda line: line[0])


def _deeds(scenario: Scenario) -> Iterator[Line]:
    for fault in scenario.faults:
        yield fault.at_s, "fault", f"{_fault(fault)} begins"
        end_s = fault.at_s + fault.for_s
        if end_s <= scenario.duration_s:
            yield end_s, "fault", f"{_fault(fault)} ends"
    for step in scenario.steps:
        yield step.at_s, *_step(step)


def _fault(fault: Fault) -> str:
    params = ", ".join(f"{name} {value:g}" for name, value in fault.params.items())
    return f"{fault.kind} of {fault.device}" + (f" ({params})" if params else "")


def _step(step: Step) -> tuple[str, str]:
    match step.do:
        case "wish":
            return step.source, f"wish {step.power_w / 1e3:g} kW for {step.for_s:g} s"
        case "clear":
            return "person", f"clears {step.device} at the device"
        case "kill":
            return "process", "the controller is killed"
        case "start":
            return "process", "the controller is started"
        case _:
            return step.source, step.do


def _cycles(looks: tuple[Look, ...]) -> Iterator[Line]:
    before: Look | None = None
    for look in looks:
        if before is None or look.mode != before.mode:
            yield look.at_s, "mode", look.mode
        then = before.reasons if before is not None else frozenset[str]()
        changes = [f"+ {name}" for name in sorted(look.reasons - then - QUIET)]
        changes += [f"- {name}" for name in sorted(then - look.reasons - QUIET)]
        if changes:
            yield look.at_s, "why", ", ".join(changes)
        if before is not None and look.first_out != before.first_out:
            yield look.at_s, "first", look.first_out or "all latches cleared"
        before = look


def _plant(samples: tuple[Sample, ...]) -> Iterator[Line]:
    before: Sample | None = None
    for sample in samples:
        for index, unit in enumerate(sample.units):
            then = before.units[index] if before is not None else None
            where = f" {index}" if len(sample.units) > 1 else ""
            if then is None or unit.pcs_state != then.pcs_state:
                yield sample.at_s, f"PCS{where}", unit.pcs_state
            if then is None or unit.contactor != then.contactor:
                yield sample.at_s, f"BMS{where}", f"contactor {unit.contactor}"
            if then is not None and unit.comm_lost and not then.comm_lost:
                yield sample.at_s, f"PCS{where}", "its own comm-loss timer has run out: 0 kW"
        before = sample
