"""What a scan found, for people, for machines and for the site file. Pure functions of a Result."""

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edge.commission.scan.identity import Identity
from edge.commission.scan.search import Found, Progress, Result
from edge.commission.scan.settings import TCP, Plan, Setting, tcp_place
from edge.console.screens import clean, table
from edge.field.profile import Profile

EXCEPTIONS = {
    1: "does not know the function", 2: "does not know register 0", 3: "does not take one register",
    4: "has a fault of its own", 5: "is busy with an earlier request", 6: "is busy", 10: "gateway: no path to it",
    11: "gateway: nothing answers behind it",
}  # fmt: skip
USES = {"pcs": "pcs", "bms": "bms", "pv": "pv", "meter": "poc", "io": "io"}
SUNSPEC_TEXT = (
    "SunSpec devices describe themselves: --drafts FOLDER writes their profiles. Look",
    "through them, then put them into the folder `profiles` beside the site file.",
)
BUSY_TEXT = (
    "Two masters spoil each other's answers. Stop the other one (the edge service, a building controller, a PCS that polls "
    "its meter) or unplug it, then scan again. If nothing else is there it is noise: check bias, termination, A/B, shield."
)
NOTHING_TEXT = (
    "Check, in this order: supply of the devices; A and B not swapped; common ground; the right connector; a termination at "
    "each end. Then --all tries every setting and address, --turnaround-ms 800 waits for slow devices."
)
PORT_NAME = "line1"
NOTES = {
    "sunspec": "# its draft (--drafts): look through it, then into `profiles` beside this file",
    "guess": "# a guess: compare with the label of the device",
}
METER_HINT = '  # or "load": the meter of the IT load'


def progress_line(progress: Progress) -> str:
    """One line of at most 79 columns."""
    where = f"{progress.setting}, address {progress.unit}" if progress.unit else f"{progress.setting}"
    text = f"{progress.doing} {where}; {progress.found_count} found"
    left = "" if progress.doing == "identifying" else f"; at most {left_text(progress.left_s)} left"
    return clean(f"{progress.done_permille // 10:>3} %  {text}{left}", 79)


def left_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def plan_text(plan: Plan) -> str:
    """What will happen, before it happens."""
    count = len(plan.settings)
    return (
        f"{plan.path}: {len(plan.units)} addresses at {count} line setting{'s' * (count != 1)}, "
        f"at most {left_text(plan.seconds())}; only reads are sent"
    )


def screen(plan: Plan, result: Result, profiles: Sequence[Profile]) -> list[str]:
    """The report, ready for a terminal of 80 columns, with the piece of a site file at its end."""
    if result.verdict == "busy":
        return [
            f"{plan.path}: somebody else speaks on this line; the scan has stopped",
            *_indented(
                f"heard: {result.heard}", BUSY_TEXT, f"{result.sent_count} reads were sent, nothing was written."
            ),
        ]
    if result.verdict == "nothing" and plan.path.startswith(TCP):
        return [f"{plan.path}: nobody answers at addresses {_span(plan.units)}; try --all, or --turnaround-ms 800"]
    if result.verdict == "nothing":
        return _nothing(plan, result)
    setting = result.found[0].setting
    head = ("addr", "answer", "latency", "device")
    rows = [(str(f.unit), _answer(f), f"{f.latency_us / 1000:.1f} ms", _device(f.identity)) for f in result.found]
    count = len(rows)
    lines = [f"{plan.path}: {count} device{'s' * (count != 1)} at {setting}", "", *table(head, rows, right=(0, 2))]
    for found in result.found:
        lines += _other_lines(found)
        lines += _refusal_lines(found) + _sunspec_lines(found)
    if any(found.identity.how == "sunspec" for found in result.found):
        lines += ["", *SUNSPEC_TEXT]
    if any(found.identity.how == "guess" for found in result.found):
        lines += ["", "A guess is no identification: so many values look right. Compare with the label."]
    if result.deaf:
        lines += [
            "",
            *_wrapped("It answers at every address: one device; the address in the site file does not matter."),
        ]
    if result.echoes:
        lines += ["", *_wrapped("The adapter hears its own questions (echo): harmless here, and for the controller.")]
    tried = ", ".join(map(str, result.tried))
    lines += ["", *_wrapped(f"{result.sent_count} reads, no write; tried {tried}")]
    return [*lines, "", "For the site file (names are yours to choose):", "", *snippet(plan.path, result, profiles)]


def _nothing(plan: Plan, result: Result) -> list[str]:
    tried = [str(setting) for setting in result.tried]
    lines = [f"{plan.path}: nobody answers at addresses {_span(plan.units)}", "  tried:"]
    lines += ["    " + ", ".join(tried[at : at + 6]) for at in range(0, len(tried), 6)]
    return [*lines, *_indented(NOTHING_TEXT)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(clean(text, 400), 80)


def _indented(*texts: str) -> list[str]:
    return [f"  {line}" for text in texts for line in textwrap.wrap(clean(text, 400), 78)]


def _span(units: Sequence[int]) -> str:
    whole = list(units) == list(range(units[0], units[-1] + 1)) and len(units) > 1
    return f"{units[0]}..{units[-1]}" if whole else clean(", ".join(map(str, units)), 40)


def _answer(found: Found) -> str:
    text = f"refusal {found.exception}" if found.exception else "data"
    return text + ", late" if found.was_late else text


def _device(identity: Identity) -> str:
    if identity.how == "identified":
        return f"identified: {' or '.join(identity.profiles)} ({identity.text!r})"
    if identity.how == "sunspec":
        return f"SunSpec {identity.described.kind if identity.described else ''}: {identity.text}"
    if identity.how == "guess":
        return f"a guess: {identity.best}? ({identity.guesses[0].text()})"
    return "unknown: no profile fits"


def _sunspec_lines(found: Found) -> list[str]:
    described = found.identity.described
    if described is None:
        return []
    models = " ".join(map(str, described.models))
    lines = _folded(f"models {models}", found.unit) if described.models else []
    if described.fault:
        lines += _folded(f"its draft lacks: {described.fault}" if described.toml else described.fault, found.unit)
    return lines


def _folded(text: str, unit: int) -> list[str]:
    """Lines of at most 80 columns behind the address."""
    return [f"{unit:>4}  {line}" for line in textwrap.wrap(clean(text, 400), 74)]


def _other_lines(found: Found) -> list[str]:
    return [clean(f"{found.unit:>4}  or {guess.profile}? ({guess.text()})") for guess in found.identity.guesses[1:3]]


def _refusal_lines(found: Found) -> list[str]:
    if not found.exception or found.identity.how != "unknown":
        return []
    said = EXCEPTIONS.get(found.exception, "refuses with a code of its own")
    return [clean(f"{found.unit:>4}  refusal {found.exception}: it is there, and {said}")]


def snippet(path: str, result: Result, profiles: Sequence[Profile]) -> list[str]:
    """[[port]] and [[device]] tables for a site file; what is only a guess says so, what is unknown is commented out."""
    setting = result.found[0].setting
    kinds = {profile.id: profile.kind for profile in profiles}
    place = [f'path = "{path}"', f"baud = {setting.baud}", f'parity = "{setting.parity}"', "stopbits = 1"]
    if not setting.baud:
        host, tcp_port = tcp_place(path)
        place = ['kind = "tcp"', f'host = "{host}"', f"tcp_port = {tcp_port}"]
    lines = ["[[port]]", f'name = "{PORT_NAME}"', *place]
    counts: dict[str, int] = {}
    for found in result.found:
        described = found.identity.described
        kind = described.kind if described is not None else kinds.get(found.identity.best, "")
        counts[kind] = counts.get(kind, 0) + 1
        lines += ["", *_device_tables(found, kind, counts[kind])]
    return lines


def _device_tables(found: Found, kind: str, number: int) -> list[str]:
    identity = found.identity
    if not identity.best:
        return [f"# address {found.unit} answers, but no profile fits: `edge profile new` begins one"]
    use = USES[kind]
    notes = [NOTES[identity.how]] if identity.how in NOTES else []
    hint = METER_HINT if kind == "meter" and number == 1 else ""
    if kind == "meter" and number > 1:
        use, hint = "load", '  # or "poc": the meter at the grid connection'
    return [
        "[[device]]", f'name = "{kind}{number}"', *notes, f'profile = "{identity.best}"', f'port = "{PORT_NAME}"',
        f"address = {found.unit}", f'use = "{use}"{hint}',
    ]  # fmt: skip


def as_json(plan: Plan, result: Result, profiles: Sequence[Profile]) -> dict[str, Any]:
    """For machines: verdict found | nothing | busy."""
    return {
        "verdict": result.verdict,
        "path": plan.path,
        "setting": _setting(result.found[0].setting) if result.found else None,
        "tried": [_setting(setting) for setting in result.tried],
        "units": list(result.units),
        "sent_count": result.sent_count,
        "heard": result.heard,
        "echoes": result.echoes,
        "one_device": result.deaf,
        "devices": [
            {
                "address": found.unit,
                "exception": found.exception,
                "latency_us": found.latency_us,
                "late": found.was_late,
                "how": found.identity.how,
                "profiles": list(found.identity.profiles),
                "says": found.identity.text,
                "sunspec": asdict(found.identity.described) if found.identity.described else None,
                "guesses": [
                    {"profile": guess.profile, "score": guess.score, "strength": guess.strength, "text": guess.text()}
                    for guess in found.identity.guesses
                ],
            }
            for found in result.found
        ],
        "site_file": "\n".join(snippet(plan.path, result, profiles)) + "\n" if result.found else "",
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {"baud": setting.baud, "parity": setting.parity, "stopbits": setting.stopbits}
