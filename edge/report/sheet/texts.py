"""Numbers as people read them, and tables and lists of texts, escaped."""

from collections.abc import Iterable, Sequence
from html import escape

from edge.carbon.evidence.figures import fixed
from edge.carbon.ledger.market import MJ_MG_PER_UG_KWH

NONE = "–"


def energy(energy_mj: int) -> str:
    """Wh, kWh or MWh, so that three or four digits remain."""
    size = abs(energy_mj)
    if not size:
        return "0 kWh"
    if size >= 36_000_000_000_000:
        return f"{fixed(energy_mj, 3_600_000_000_000, 2)} MWh"
    return f"{fixed(energy_mj, 3_600_000_000, 0 if size >= 3_600_000_000_000 else 1)} kWh"


def carbon(ug: int) -> str:
    """kg or t."""
    if not ug:
        return "0 kg"
    if abs(ug) >= 10**13:
        return f"{fixed(ug, 10**12, 2)} t"
    return f"{fixed(ug, 10**9, 0 if abs(ug) >= 10**12 else 1)} kg"


def intensity(ug: int, energy_mj: int) -> str:
    return f"{fixed(ug * MJ_MG_PER_UG_KWH, energy_mj * 1000, 0)} g/kWh" if energy_mj > 0 else NONE


def ratio(value: int | None, places: int = 2) -> str:
    return NONE if value is None else fixed(value, 1000, places)


def percent(permille: int | None) -> str:
    return NONE if permille is None else f"{fixed(permille, 10, 1)} %"


def grams(mg: int | None) -> str:
    return NONE if mg is None else f"{fixed(mg, 1000, 0)} g/kWh"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> list[str]:
    marks = [' class="n"' if index in numbers else "" for index in range(len(heads))]
    lines = ['<div class="wide"><table>']
    if any(heads):
        lines.append("<tr>" + "".join(f"<th{m}>{escape(t)}</th>" for m, t in zip(marks, heads, strict=True)) + "</tr>")
    lines += [
        "<tr>" + "".join(f"<td{m}>{escape(t)}</td>" for m, t in zip(marks, row, strict=True)) + "</tr>" for row in rows
    ]
    return [*lines, "</table></div>"]


def listing(title: str, texts: Iterable[str]) -> list[str]:
    return [f"<h2>{escape(title)}</h2>", "<ul>", *(f"<li>{escape(text)}</li>" for text in texts), "</ul>"]
