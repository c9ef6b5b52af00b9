"""Which line settings and addresses are tried, in which order, and how long that takes: arithmetic, no I/O.

The bus of a site has one setting for all its devices, so the search ends at the first setting at which anybody answers.
"""

import itertools
import re
from dataclasses import dataclass

from edge.commission.line import wire_s
from edge.config import options
from edge.errors import ConfigFault, Problem
from edge.field.line.rtu import Expect, read_request

# What is met most first: 9600 8N1 is the usual factory setting of meters, 19200 8E1 the default of the specification,
# 115200 8N1 what fast PCS use. Two stop bits are not tried: a receiver checks the first, and is heard with either.
LIKELY = (
    (9_600, "N"), (19_200, "E"), (115_200, "N"), (19_200, "N"), (9_600, "E"), (38_400, "N"), (57_600, "N"),
)  # fmt: skip
BAUDS = (9_600, 19_200, 115_200, 38_400, 57_600, 4_800, 2_400, 1_200)
PARITIES = ("N", "E", "O")
UNIT_MAX = 247
UNITS_DEFAULT = "1-16"  # where installers put devices; the whole range takes a quarter of an hour
TURNAROUND_MS = 100  # meters and PCS take 5..60 ms; for a slow one (some take 800 ms) say so with --turnaround-ms
TURNAROUND_MAX_MS = 2_000
LISTEN_S = 3.0  # a controller polls at least once a second or two
PROBE_FUNCTIONS = (3, 4)  # some know only input registers and say nothing to FC3


TCP = "tcp:"
TCP_PORT = 502


@dataclass(frozen=True, slots=True)
class Setting:
    """How the line is set up; baud 0 is Modbus TCP."""

    baud: int
    parity: str
    stopbits: int = 1

    def __str__(self) -> str:
        return f"{self.baud} 8{self.parity}{self.stopbits}" if self.baud else "Modbus TCP"

    def port(self, path: str, name: str = "scan") -> options.Port:
        if not self.baud:
            host, tcp_port = tcp_place(path)
            return options.Port(name=name, kind="tcp", host=host, tcp_port=tcp_port)
        return options.Port(name=name, path=path, baud=self.baud, parity=self.parity, stopbits=self.stopbits)


def tcp_place(path: str) -> tuple[str, int]:
    """Host and port of `tcp:HOST[:PORT]`."""
    host, _, port = path.removeprefix(TCP).partition(":")
    return host, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else (0 if port else TCP_PORT)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan will try at most."""

    path: str
    settings: tuple[Setting, ...]
    units: tuple[int, ...]
    turnaround_s: float = TURNAROUND_MS / 1000
    listen_s: float = LISTEN_S

    def seconds(self) -> float:
        """For all of it when nobody answers: listening, and each probe in full."""
        once_s = sum(len(self.units) * probe_s(self, setting) for setting in self.settings)
        return self.listen_s + len(PROBE_FUNCTIONS) * once_s


def probe(unit: int, function: int = 3) -> Expect:
    """The shortest question there is: one register from address 0. Most devices refuse it, and that is an answer."""
    return Expect(read_request(unit, function, 0, 1))


def probe_s(plan: Plan, setting: Setting) -> float:
    """How long one address is waited for: the frames on the wire, and the device."""
    return wire_s(setting.port(plan.path), probe(1)) + plan.turnaround_s


def make_plan(path: str, units: str = "", bauds: str = "", parities: str = "", turnaround_ms: int = TURNAROUND_MS,
              *, everything: bool = False) -> Plan:  # fmt: skip
    """From the words of the command line. Raises ConfigFault with everything that is wrong with them."""
    problems: list[Problem] = []
    is_tcp = path.startswith(TCP)
    if is_tcp:
        host, tcp_port = tcp_place(path)
        if not host or not 1 <= tcp_port <= 65_535:
            problems.append(Problem("scan", "PORT", path, "must be tcp:HOST or tcp:HOST:PORT, a port 1..65535"))
        if bauds or parities:
            problems.append(Problem("scan", "--baud, --parity", bauds or parities, "mean nothing over TCP"))
    found_units = _units(units or (f"1-{UNIT_MAX}" if everything else UNITS_DEFAULT), problems)
    wanted_bauds = _numbers("--baud", bauds, BAUDS, problems)
    wanted_parities = _words("--parity", parities.upper(), PARITIES, problems)
    if not 1 <= turnaround_ms <= TURNAROUND_MAX_MS:
        problems.append(Problem("scan", "--turnaround-ms", turnaround_ms, f"must be 1..{TURNAROUND_MAX_MS}"))
    if problems:
        raise ConfigFault(problems)
    if is_tcp:  # nobody else can be heard there, and there is nothing to set
        return Plan(path, (Setting(0, "N"),), found_units, turnaround_ms / 1000, 0.0)
    wanted = set(itertools.product(wanted_bauds or BAUDS, wanted_parities or PARITIES))
    order = [pair for pair in LIKELY if pair in wanted]
    if everything or bauds or parities:  # asked for by name: also those that are seldom met
        rest = itertools.product(wanted_parities or PARITIES, wanted_bauds or BAUDS)
        order += [(baud, parity) for parity, baud in rest if (baud, parity) not in order]
    settings = tuple(Setting(baud, parity) for baud, parity in order)
    return Plan(path, settings, found_units, turnaround_ms / 1000)


def _units(text: str, problems: list[Problem]) -> tuple[int, ...]:
    """`1-16,20` to addresses."""
    found: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= low <= high <= UNIT_MAX:
            problems.append(
                Problem("scan", "--units", text, f"must be addresses 1..{UNIT_MAX}, such as 1-16 or 1,5,20")
            )
            return ()
        found += [unit for unit in range(low, high + 1) if unit not in found]
    return tuple(found)


def _numbers(key: str, text: str, allowed: tuple[int, ...], problems: list[Problem]) -> tuple[int, ...]:
    words = _words(key, text, tuple(map(str, allowed)), problems)
    return tuple(int(word) for word in words)


def _words(key: str, text: str, allowed: tuple[str, ...], problems: list[Problem]) -> tuple[str, ...]:
    words = tuple(word for word in text.replace(" ", "").replace("_", "").split(",") if word)
    if any(word not in allowed for word in words):
        problems.append(
            Problem("scan", key, text, "must be of " + ", ".join(sorted(allowed, key=lambda w: (len(w), w))))
        )
        return ()
    return words
