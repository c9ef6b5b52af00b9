"""The one registry of words: name, arguments, help, class, handler. The session only finds and runs them.

A handler takes a Call and gives an Answer; it never prints and never waits. Words marked `login` will need one; today
the mark is shown by `help` and by the handbook.
"""

import difflib
import json
import textwrap
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

from edge.console import screens
from edge.console.view import PlantView, StatusView, Told
from edge.model import Request, RequestKind

WATCH_S = 2
EVENTS_COUNT = 10  # fit on a screen of 25 lines with their texts
WATCH_MIN_S, WATCH_MAX_S = 1, 3_600


@dataclass(frozen=True, slots=True)
class Call:
    """One word being run: the plant, the arguments after the name, and whether the peer can show colour."""

    plant: PlantView
    args: tuple[str, ...] = ()
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What to show. `data` is for --json; `quit` ends the session; `watch_s` > 0 repeats a screen; `later` brings it."""

    lines: list[str]
    data: Any = None
    ok: bool = True
    quit: bool = False
    watch_s: int = 0
    later: Callable[[], Coroutine[Any, Any, Told]] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    name: str
    args: str
    help: str
    login: bool
    run: Callable[[Call], Answer]


def refuse(text: str) -> Answer:
    safe = screens.clean(text, 400)
    return Answer(textwrap.wrap(safe, screens.WIDTH), {"error": safe}, ok=False)


def _help(call: Call) -> Answer:
    wanted = " ".join(call.args)
    found = [word for word in WORDS if word.name.startswith(wanted)]
    if not found:
        return refuse(f"no word begins with '{wanted}'")
    texts = {f"{w.name} {w.args}".strip(): ("(login) " if w.login else "") + w.help for w in found}
    width = max(map(len, texts)) + 2
    lines = [f"{'word':<{width}}what it does"]
    for name, text in texts.items():
        head, rest = f"{name:<{width}}", " " * width
        lines += textwrap.wrap(text, screens.WIDTH, initial_indent=head, subsequent_indent=rest)
    data = [{"name": w.name, "args": w.args, "help": w.help, "login": w.login} for w in found]
    return Answer(lines, data)


def _screen(draw: Callable[[StatusView], list[str]], keys: tuple[str, ...]) -> Callable[[Call], Answer]:
    def run(call: Call) -> Answer:
        view = call.plant.status()
        full = asdict(view)
        return Answer(draw(view), {key: full[key] for key in keys} if keys else full)

    return run


def _status(call: Call) -> Answer:
    view = call.plant.status()
    return Answer(screens.status_screen(view, call.colour), asdict(view))


def _watch(call: Call) -> Answer:
    text = call.args[0] if call.args else str(WATCH_S)
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and WATCH_MIN_S <= int(text) <= WATCH_MAX_S):
        return refuse(f"seconds must be {WATCH_MIN_S}..{WATCH_MAX_S}")
    return Answer([], watch_s=int(text))


def _ask(kind: RequestKind, text: str) -> Callable[[Call], Answer]:
    def run(call: Call) -> Answer:
        reason = screens.clean(" ".join(call.args), 60) or "console"
        call.plant.offer(Request("console", kind, reason=reason))
        return Answer([text], {"offered": kind, "reason": reason})

    return run


def _events(call: Call) -> Answer:
    text = call.args[0] if call.args else str(EVENTS_COUNT)
    if len(call.args) > 1 or not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) >= 1):
        return refuse("how many events: 1..999")
    events = call.plant.events()[-int(text) :]
    return Answer(screens.events_screen(events), [asdict(event) for event in events])


def _bench(name: str) -> Callable[[Call], Answer]:
    """A word that has to ask the devices first: see edge/commission."""

    def run(call: Call) -> Answer:
        return Answer([], later=lambda: call.plant.bench(name, call.args))

    return run


def _quit(call: Call) -> Answer:
    return Answer(["bye"], {"bye": True}, quit=True)


WORDS: tuple[Word, ...] = (
    Word("help", "[word]", "this list, or the words that begin so; also: ?", False, _help),
    Word("show status", "", "power, battery, carbon, cloud and timing on one screen", False, _status),
    Word("show devices", "", "every device: age, latency, state", False, _screen(screens.devices_screen, ("devices",))),
    Word("show bus", "", "ports and failures by kind", False, _screen(screens.bus_screen, ("ports", "devices"))),
    Word(
        "show limits",
        "",
        "what the battery may do now, and the limits at the POC",
        False,
        _screen(
            screens.limits_screen,
            (
                "charge_max_w",
                "discharge_max_w",
                "import_max_w",
                "export_max_w",
                "ramp_up_max_w_per_s",
                "ramp_down_max_w_per_s",
                "reference_w",
                "poc_power_w",
                "dead_time_ms",
                "period_ms",
                "gain_permille",
                "narrowings",
            ),
        ),
    ),
    Word(
        "why",
        "",
        "each reason that binds: what it is, what it does, what to do",
        False,
        _screen(screens.why_screen, ("mode", "standing", "first_out", "functions", "reasons", "narrowings")),
    ),
    Word("events", "[N]", "what changed last: modes, interlocks, devices, store; all: edge events", False, _events),
    Word("hold", "[reason]", "0 kW and STANDBY until resume", False, _ask("hold", "hold asked; see: why")),
    Word("resume", "", "end a hold, let the site run", True, _ask("resume", "resume asked; see: why")),
    Word("reset", "", "clear latched trips whose cause is gone", True, _ask("reset", "reset asked; see: why")),
    Word("service", "", "enter or leave SERVICE (0 kW)", True, _ask("service", "service toggled; see: show status")),
    Word("calibrate", "", "charge to the very top once, or leave it", True, _ask("calibrate", "calibration toggled")),
    Word("read", "DEVICE [POINT..]", "what a device says now, with its registers", False, _bench("read")),
    Word("write", "DEVICE POINT VALUE UNIT", "one write of a profile, in SERVICE only", True, _bench("write")),
    Word("check", "DEVICE [N]", "ask a device N times: answers, times, watchdog", False, _bench("check")),
    Word("sign-test", "[run]", "+-5 % of battery must move the POC meter; from SERVICE", True, _bench("sign-test")),
    Word("watch status", "[s]", "repeat the status; any key ends it", False, _watch),
    Word("quit", "", "end this session", False, _quit),
)
_TAKES_NONE = {word.name for word in WORDS if not word.args}


def complete(text: str) -> list[str]:
    """The word names that begin with `text`, for Tab."""
    start = " ".join(text.split()) + (" " if text.endswith(" ") and text.strip() else "")
    return [word.name for word in WORDS if word.name.startswith(start)]


def _find(tokens: list[str]) -> tuple[Word | None, tuple[str, ...], str]:
    """(word, arguments, complaint); a word without login may be shortened, as `sh st`, while it stays unique."""
    for word in WORDS:
        parts = word.name.split()
        if tokens[: len(parts)] == parts:
            return word, tuple(tokens[len(parts) :]), ""
    short = []
    for word in WORDS:
        parts = word.name.split()
        if len(tokens) >= len(parts) and all(p.startswith(t) for p, t in zip(parts, tokens, strict=False)):
            short.append(word)
    if len(short) == 1 and not short[0].login:
        return short[0], tuple(tokens[len(short[0].name.split()) :]), ""
    typed = screens.clean(" ".join(tokens), 40)
    if short:
        return None, (), f"'{typed}': write it out: {', '.join(word.name for word in short)}"
    names = [word.name for word in WORDS]
    begun = [name for name in names if name.startswith(" ".join(tokens))]
    near = begun or [name for name in names if name == tokens[-1]]  # `show events`: the word without its `show`
    near = near or difflib.get_close_matches(" ".join(tokens[:2])[:40], names, n=1, cutoff=0.5)
    near = near or difflib.get_close_matches(tokens[0][:40], names, n=1, cutoff=0.5)
    return None, (), f"unknown word '{typed}'; " + (f"did you mean: {', '.join(near)}?" if near else "see: help")


def run_line(plant: PlantView, line: str, colour: bool = False) -> tuple[Answer, bool]:
    """Runs one line; the second value says whether it asked for --json."""
    tokens = line.split()
    as_json = bool(tokens) and tokens[-1] == "--json"
    if as_json:
        tokens.pop()
    if not tokens:
        return (refuse("no word before --json") if as_json else Answer([])), as_json
    if tokens[0] == "?":
        tokens[0] = "help"
    word, args, complaint = _find(tokens)
    if word is None:
        return refuse(complaint), as_json
    if args and word.name in _TAKES_NONE:
        return refuse(f"'{word.name}' takes no arguments"), as_json
    return word.run(Call(plant, args, colour)), as_json


def render_json(answer: Answer) -> str:
    """One ASCII line for machines: {"ok": ..., "data": ...}."""
    return json.dumps({"ok": answer.ok, "data": answer.data}, separators=(",", ":"))
