"""The pictures of the page: power by source, state of charge, intensities, PUE and CUE. Each is a figure with its legend."""

from collections.abc import Sequence
from html import escape

from edge.carbon.evidence.account import Row
from edge.carbon.ledger.body import carbon_ug, energy_mj
from edge.carbon.ledger.market import MJ_MG_PER_UG_KWH
from edge.carbon.pool import EMPTY_PERMILLE, UG_UJ_PER_MG_KWH, UJ_PER_WH
from edge.report.kpi import Kpi
from edge.report.sheet.material import FIELDS, HOUR_MS, Material, Stretch, merged
from edge.report.sheet.svg import TOP, Plot, Step, nice_axis

WIDE, HALF = 920.0, 450.0
WEAK = ("stale", "substituted", "default")
LEVELS = ("warning", "alarm")  # in the order of drawing
Legend = Sequence[tuple[str, str]]  # (class of the sample, text)


def figure(title: str, plot: Plot, legend: Legend, note: str = "") -> str:
    """The picture with its heading above and its legend below it."""
    samples = "".join(
        f'<span class="key"><svg viewBox="0 0 26 12" aria-hidden="true">{_sample(css)}</svg>{escape(text)}</span>'
        for css, text in legend
    )
    said = f'<p class="s">{escape(note)}</p>' if note else ""
    return f"<figure><h2>{escape(title)}</h2>{plot.render()}<figcaption>{samples}{said}</figcaption></figure>"


def _sample(css: str) -> str:
    if css.startswith("l "):
        return f'<line class="{css}" x1="1" y1="6" x2="25" y2="6"/>'
    if css.startswith("e "):
        return f'<path class="{css}" d="M13 2l5 8h-10z"/>'
    return f'<rect class="{css}" x="1" y="1" width="24" height="10"/>'


def scale_of(most: float) -> tuple[float, str]:
    """(W of one unit, unit) so that the numbers at an axis stay short."""
    return next(((one, unit) for one, unit in ((1e6, "MW"), (1e3, "kW")) if most >= one), (1.0, "W"))


# ---- power


def power_figure(material: Material) -> str:
    """Sources above the line at 0, what left or was stored below it; load and IT as lines; events as marks on top."""
    stretches = _drawn(material)
    grid, sun, battery, it = (_steps(stretches, name) for name in FIELDS[:4])
    absent = [not series for series in (grid, sun, battery)]
    whole = [one for one in stretches if _known(one, absent)]
    values = [tuple(_mean(one, name) for name in FIELDS[:3]) for one in whole]
    most = max((max(sum(max(0.0, v) for v in row), -sum(min(0.0, v) for v in row)) for row in values), default=0.0)
    least = min((sum(min(0.0, v) for v in row) for row in values), default=0.0)
    watts, unit = scale_of(most)
    plot = Plot(material.period, nice_axis(least / watts, most / watts), WIDE, 270, unit, "power by source")
    base_up = base_down = [Step(one.start_ms, one.stop_ms, 0.0) for one in whole]
    legend: list[tuple[str, str]] = []
    layers = ((1, "pv", "PV", ""), (2, "bat", "battery gives", "battery takes"), (0, "grid", "grid import", "export"))
    for index, css, up_text, down_text in layers:
        up = [_plus(base, max(0.0, row[index]) / watts) for base, row in zip(base_up, values, strict=True)]
        down = [_plus(base, min(0.0, row[index]) / watts) for base, row in zip(base_down, values, strict=True)]
        for low, high, name, text in ((base_up, up, css, up_text), (base_down, down, f"{css}-out", down_text)):
            if any(a.value != b.value for a, b in zip(low, high, strict=True)):
                plot.area(low, high, name)
                legend.append((name, text or up_text))
        base_up, base_down = up, down
    plot.line([Step(s.start_ms, s.stop_ms, sum(row) / watts) for s, row in zip(whole, values, strict=True)], "load")
    legend.append(("l load", "site load"))
    if it:
        plot.line([Step(one.start_ms, one.stop_ms, one.value / watts) for one in it], "it")
        legend.append(("l it", "IT load"))
    plot.gaps([Step(one.start_ms, one.stop_ms, 0) for one in whole])
    legend += _marks(plot, material)
    piece = "an hour" if material.period.kind == "month" else "a quarter of an hour"
    note = f"Means of {piece}. Above 0: where the power came from; below: what was stored or exported."
    return figure("Power", plot, legend, note)


def _drawn(material: Material) -> list[Stretch]:
    """The quarters of a day, the hours of a month."""
    period = material.period
    if period.kind == "day":
        return sorted(material.stretches, key=lambda one: one.start_ms)
    return list(merged(material.stretches, range(period.first_ms, period.stop_ms + 1, HOUR_MS)))


def _known(one: Stretch, absent: Sequence[bool]) -> bool:
    return not all(absent) and all(
        found is not None or gone for found, gone in zip(one.ranges[:3], absent, strict=True)
    )


def _mean(one: Stretch, name: str) -> float:
    found = one.ranges[FIELDS.index(name)]
    return found.mean if found is not None else 0.0


def _steps(stretches: Sequence[Stretch], name: str) -> list[Step]:
    index = FIELDS.index(name)
    return [
        Step(one.start_ms, one.stop_ms, found.mean) for one in stretches if (found := one.ranges[index]) is not None
    ]


def _plus(base: Step, value: float) -> Step:
    return Step(base.start_ms, base.stop_ms, base.value + value)


def _marks(plot: Plot, material: Material) -> list[tuple[str, str]]:
    """Alarms and warnings at the upper edge, one mark for all of one place."""
    found = []
    for level in LEVELS:
        places: dict[int, list[str]] = {}
        for one in material.happenings:
            if one.level == level:
                places.setdefault(round(plot.x(one.wall_ms) / 6), []).append(one.name)
        for place, names in places.items():
            x, text = place * 6, escape(", ".join(dict.fromkeys(names)))
            plot.add(f'<path class="e {level}" d="M{x} {TOP - 8}l5 8h-10z"><title>{text}</title></path>')
        found += [(f"e {level}", level)] if places else []
    return found


# ---- state of charge


def soc_figure(material: Material) -> str:
    stretches = _drawn(material)
    plot = Plot(material.period, nice_axis(0, 100), WIDE, 150, "%", "state of charge")
    index = FIELDS.index("soc_cpct")
    known = [(one, found) for one in stretches if (found := one.ranges[index]) is not None]
    low = [Step(one.start_ms, one.stop_ms, found.low / 100) for one, found in known]
    high = [Step(one.start_ms, one.stop_ms, found.high / 100) for one, found in known]
    plot.area(low, high, "soc")
    plot.line([Step(one.start_ms, one.stop_ms, found.mean / 100) for one, found in known], "charge")
    plot.gaps(low)
    return figure("State of charge", plot, [("l charge", "mean"), ("soc", "lowest to highest")])


# ---- intensity


def intensity_figure(material: Material) -> str:
    """Of the grid as it was booked, of what the site consumed, and of what is in the battery."""
    rows = material.rows
    grid = [
        (Step(row.start_ms, row.stop_ms, row.body["factor"]["mg_per_kwh"] / 1000), row.body["factor"]["quality"])
        for row in rows
    ]
    consumed = [one for row in rows if (one := _consumed(row)) is not None]
    stored = [one for row in rows if (one := _stored(row, material.capacity_wh)) is not None]
    values = [one.value for one, _ in grid] + [one.value for one in (*consumed, *stored)]
    plot = Plot(material.period, nice_axis(0, max(values, default=1.0)), WIDE, 230, "g CO₂/kWh", "carbon intensity")
    weak = [one for one, quality in grid if quality in WEAK]
    plot.line(stored, "bat-l")
    plot.line(consumed, "load")
    plot.line([one for one, quality in grid if quality not in WEAK], "grid-l")
    plot.line(weak, "grid-l weak")
    plot.gaps([Step(row.start_ms, row.stop_ms, 0) for row in rows])
    legend = [("l grid-l", "grid"), ("l load", "consumption of the site"), ("l bat-l", "inside the battery")]
    legend += [("l grid-l weak", "grid, stood in for")] if weak else []
    note = (
        "Average intensity, direct emissions. On one bus all sources mix; what is in the battery carries what it was"
        " charged with, and losses make that denser."
    )
    return figure("Carbon intensity", plot, legend, note)


def _consumed(row: Row) -> Step | None:
    used_mj = energy_mj(row.body, None, "load")
    ug = carbon_ug(row.body, None, "load") + row.revised_ug
    return Step(row.start_ms, row.stop_ms, ug * MJ_MG_PER_UG_KWH / used_mj / 1000) if used_mj else None


def _stored(row: Row, capacity_wh: int) -> Step | None:
    """Not below 1 % of the capacity: there the quotient is noise of the SOC."""
    inside_uj, ug = row.body["pool"]["close_uj"], row.body["pool"]["close_ug"]
    if inside_uj <= 0 or inside_uj * 1000 < capacity_wh * UJ_PER_WH * EMPTY_PERMILLE:
        return None
    return Step(row.start_ms, row.stop_ms, ug * UG_UJ_PER_MG_KWH / inside_uj / 1000)


# ---- PUE, CUE


def kpi_figures(material: Material, pieces: Sequence[Kpi]) -> str:
    """Two pictures side by side, an hour or a day a step."""
    every = "hour" if material.period.kind == "day" else "day"
    pue = [Step(one.start_wall_ms, one.stop_wall_ms, one.pue_permille / 1000) for one in pieces if one.pue_permille]
    cue = [
        Step(one.start_wall_ms, one.stop_wall_ms, one.cue_mg_per_kwh / 1000)
        for one in pieces
        if one.cue_mg_per_kwh is not None
    ]
    if not pue:
        return ""
    most = max(one.value for one in pue)
    left = Plot(material.period, nice_axis(1, max(most, 1.1), 3), HALF, 170, "", "interim PUE")
    right = Plot(
        material.period,
        nice_axis(0, max([1.0, *(one.value for one in cue)]), 3),
        HALF,
        170,
        "g/kWh of IT",
        "interim CUE",
    )
    for plot, steps in ((left, pue), (right, cue)):
        plot.line(steps, "load")
        plot.gaps(steps)
    figures = figure(f"Interim PUE by {every}", left, ()), figure(f"Interim CUE by {every}", right, ())
    return f'<div class="two">{"".join(figures)}</div>'
