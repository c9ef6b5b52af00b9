"""The single-line diagram of the site, drawn from the monitoring plan: one bus, its meters, its boundary. SVG, no script."""

from html import escape

from edge.carbon.ledger.entry import Body

COLUMN, TOP, BUS_Y, DEVICE_Y = 170, 96, 210, 330
STYLE = (
    "text{font:12px sans-serif;fill:#111}.t{font-weight:bold}.s{fill:#555;font-size:11px}"
    "line{stroke:#111;stroke-width:1.5}.bus{stroke-width:5}rect,circle{fill:#fff;stroke:#111;stroke-width:1.5}"
    ".edge{fill:none;stroke:#777;stroke-dasharray:7 5}"
)
WORDS = {"pv": "PV", "load": "IT load", "pcs": "battery"}


def diagram(plan: Body) -> str:
    """The whole file. Devices beyond the POC meter hang on the bus from left to right, as in the site file."""
    meters = plan["meters"]
    poc = next((meter for meter in meters if meter["use"] == "poc"), None)
    feeders = [meter for meter in meters if meter["use"] != "poc"]
    width = max(3, len(feeders) + 1) * COLUMN + 60
    middle = width // 2
    parts = [
        f'<rect class="edge" x="16" y="128" width="{width - 32}" height="310"/>',
        '<text class="s" x="24" y="144">boundary of the statement</text>',
        f'<text class="t" x="{middle}" y="24" text-anchor="middle">grid {escape(plan["region"])}</text>',
        f'<line x1="{middle}" y1="32" x2="{middle}" y2="{BUS_Y}"/>',
        *_meter(middle, TOP, poc),
        f'<line class="bus" x1="40" y1="{BUS_Y}" x2="{width - 40}" y2="{BUS_Y}"/>',
    ]
    for index, meter in enumerate(feeders):
        parts += _feeder(40 + COLUMN // 2 + index * COLUMN, meter, plan)
    parts += _rest(40 + COLUMN // 2 + len(feeders) * COLUMN)
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 456" width="{width}" height="456" role="img"'
        f' aria-label="single-line diagram">\n<style>{STYLE}</style>\n{inner}\n</svg>\n'
    )


def _meter(x: int, y: int, meter: Body | None) -> list[str]:
    """A circle on the line, its name and class to the right."""
    if meter is None:
        return []
    ratio = [f"{name} {a}/{b}" for name, (a, b) in (("CT", meter["ct"]), ("PT", meter["pt"])) if a != 1 or b != 1]
    said = [f"class {meter['accuracy_class'] or 'not stated'}", f"no. {meter['serial'] or 'not stated'}", *ratio]
    return [
        f'<circle cx="{x}" cy="{y}" r="13"/>',
        f'<text x="{x}" y="{y + 4}" text-anchor="middle">M</text>',
        f'<text class="t" x="{x + 18}" y="{y - 4}">{escape(meter["device"])}</text>',
        *(
            f'<text class="s" x="{x + 18}" y="{y + 9 + 13 * index}">{escape(text)}</text>'
            for index, text in enumerate(said)
        ),
    ]


def _feeder(x: int, meter: Body, plan: Body) -> list[str]:
    unit = next((one for one in plan["units"] if one["pcs"] == meter["device"]), None)
    below = [f"{unit['capacity_wh'] / 1000:g} kWh", f"BMS {unit['bms']}"] if unit else []
    word = WORDS.get(str(meter["use"]), str(meter["use"]))
    return [
        f'<line x1="{x}" y1="{BUS_Y}" x2="{x}" y2="{DEVICE_Y}"/>',
        *_meter(x, 262, meter),
        f'<rect x="{x - 48}" y="{DEVICE_Y}" width="96" height="44"/>',
        f'<text class="t" x="{x}" y="{DEVICE_Y + 27}" text-anchor="middle">{escape(word)}</text>',
        *(
            f'<text class="s" x="{x}" y="{DEVICE_Y + 62 + 14 * index}" text-anchor="middle">{escape(text)}</text>'
            for index, text in enumerate(below)
        ),
    ]


def _rest(x: int) -> list[str]:
    return [
        f'<line x1="{x}" y1="{BUS_Y}" x2="{x}" y2="{DEVICE_Y}"/>',
        f'<rect x="{x - 60}" y="{DEVICE_Y}" width="120" height="44"/>',
        f'<text class="t" x="{x}" y="{DEVICE_Y + 19}" text-anchor="middle">cooling, rest</text>',
        f'<text class="s" x="{x}" y="{DEVICE_Y + 35}" text-anchor="middle">by balance, no meter</text>',
    ]
