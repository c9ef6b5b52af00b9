"""Axes, steps and areas as SVG, by hand: no script, no font, colours by class so that the page decides light or dark.

A value holds over its interval: everything is drawn in steps. Where nothing was known nothing is drawn but a hatch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import floor, log10
from typing import NamedTuple

from edge.report.sheet.material import Period

LEFT, RIGHT, TOP, BOTTOM = 62.0, 10.0, 15.0, 26.0
JOIN_MS = 120_000  # a hole of less is no gap: two samples lost, a restart of seconds


class Step(NamedTuple):
    """A value over a time."""

    start_ms: int
    stop_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, both of them ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]


def nice_axis(low: float, high: float, count: int = 4) -> Axis:
    """An axis that holds both, with some `count` steps of 1, 2, 2.5 or 5 times a power of ten."""
    if high - low <= 0:
        high = low + 1
    raw = (high - low) / count
    size = 10.0 ** floor(log10(raw))
    step = next(size * part for part in (1, 2, 2.5, 5, 10) if size * part >= raw * 0.999)
    first, last = floor(low / step + 1e-9), -floor(-high / step + 1e-9)
    ticks = tuple(index * step for index in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def tick_text(value: float) -> str:
    """At most three digits behind the point, none that say nothing."""
    return f"{value:.3f}".rstrip("0").rstrip(".").replace("-", "−") if value else "0"


class Plot:
    """One picture: `width` by `height` user units, time to the right."""

    def __init__(self, period: Period, axis: Axis, width: float, height: float, unit: str, title: str) -> None:
        self.period, self.axis, self.width, self.height = period, axis, width, height
        self._title, self._unit = title, unit
        self._parts: list[str] = []

    def x(self, wall_ms: float) -> float:
        share = (wall_ms - self.period.first_ms) / (self.period.stop_ms - self.period.first_ms)
        return LEFT + max(0.0, min(1.0, share)) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.axis.low) / (self.axis.high - self.axis.low)
        return self.height - BOTTOM - max(0.0, min(1.0, share)) * (self.height - TOP - BOTTOM)

    def add(self, *parts: str) -> None:
        self._parts += parts

    def line(self, steps: Iterable[Step], css: str) -> None:
        for run in runs(steps):
            self.add(f'<path class="l {css}" d="M{self._stairs(run)}"/>')

    def area(self, low: Sequence[Step], high: Sequence[Step], css: str) -> None:
        """Between two series over the same times."""
        pairs = [(a, b) for a, b in zip(low, high, strict=True) if a.value != b.value]
        for run in runs(b for _, b in pairs):
            floor_run = [a for a, b in pairs if run[0].start_ms <= b.start_ms <= run[-1].start_ms]
            back = self._stairs([Step(one.stop_ms, one.start_ms, one.value) for one in reversed(floor_run)])
            self.add(f'<path class="{css}" d="M{self._stairs(run)}L{back}Z"/>')

    def _stairs(self, run: Sequence[Step]) -> str:
        """Coordinates along a run, forwards or backwards; a stair only where the value changes."""
        parts, drawn = [f"{self.x(run[0].start_ms):.1f} {self.y(run[0].value):.1f}"], run[0].value
        for before, one in pairwise(run):
            if one.value != drawn:
                parts += [f"H{self.x(before.stop_ms):.1f}", f"V{self.y(one.value):.1f}"]
                drawn = one.value
        return "".join([*parts, f"H{self.x(run[-1].stop_ms):.1f}"])

    def gaps(self, known: Iterable[Step]) -> None:
        """Hatches what of the period no step covers."""
        reached_ms = self.period.first_ms
        for start_ms, stop_ms in [*((one.start_ms, one.stop_ms) for one in known), (self.period.stop_ms, 0)]:
            if start_ms - reached_ms > JOIN_MS:
                x1, x2 = self.x(reached_ms), self.x(start_ms)
                self.add(
                    f'<rect class="gap" x="{x1:.1f}" y="{TOP}" width="{x2 - x1:.1f}"'
                    f' height="{self.height - TOP - BOTTOM:.1f}"><title>no data</title></rect>'
                )
                if x2 - x1 > 60:
                    middle = (x1 + x2) / 2
                    self.add(f'<text class="s" x="{middle:.1f}" y="{TOP + 14}" text-anchor="middle">no data</text>')
            reached_ms = max(reached_ms, stop_ms)

    def render(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" role="img"'
            f' aria-label="{escape(self._title)}">'
        )
        return "\n".join(
            [head, f"<title>{escape(self._title)}</title>", *self._grid(), *self._parts, *self._over(), "</svg>"]
        )

    def _grid(self) -> list[str]:
        right = self.width - RIGHT
        lines = [
            f'<line class="grid" x1="{LEFT}" y1="{self.y(tick):.1f}" x2="{right}" y2="{self.y(tick):.1f}"/>'
            for tick in self.axis.ticks
        ]
        return lines + [
            f'<line class="grid" x1="{self.x(at):.1f}" y1="{TOP}" x2="{self.x(at):.1f}" y2="{self.height - BOTTOM}"/>'
            for at, _ in time_ticks(self.period, self.width)
        ]

    def _over(self) -> list[str]:
        """Numbers, and the line at 0."""
        texts = [
            f'<text x="{LEFT - 6}" y="{self.y(tick) + 4:.1f}" text-anchor="end">{tick_text(tick)}</text>'
            for tick in self.axis.ticks
        ]
        middle = (TOP + self.height - BOTTOM) / 2
        texts.append(
            f'<text class="s" transform="translate(13 {middle:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(self._unit)}</text>"
        )
        texts += [
            f'<text x="{self.x(at):.1f}" y="{self.height - 8}" text-anchor="middle">{label}</text>'
            for at, label in time_ticks(self.period, self.width)
        ]
        if self.axis.low <= 0 <= self.axis.high:
            y = f"{self.y(0):.1f}"
            texts.append(f'<line class="zero" x1="{LEFT}" y1="{y}" x2="{self.width - RIGHT}" y2="{y}"/>')
        return texts


def runs(steps: Iterable[Step]) -> list[list[Step]]:
    """Cut where there is a gap."""
    found: list[list[Step]] = []
    for one in steps:
        if found and one.start_ms - found[-1][-1].stop_ms <= JOIN_MS:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def time_ticks(period: Period, width: float) -> list[tuple[int, str]]:
    """Local hours of a day, local days of a month, as many as fit."""
    bounds = period.bounds()
    if period.kind == "day":
        every = 3 if width > 600 else 6
        hours = [(at, period.local(at)) for at in bounds[1:-1]]
        return [(at, f"{when:%H}:00") for at, when in hours if when.hour % every == 0 and when.minute == 0]
    every = 2 if width > 600 else 5
    days = [(at, period.local(at).day) for at in bounds[:-1]]
    return [(at, str(day)) for at, day in days if day > 1 and (day - 1) % every == 0]
