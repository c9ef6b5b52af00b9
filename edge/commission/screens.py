"""What is printed of points: pure functions to lines of at most 80 columns."""

from collections.abc import Sequence

from edge.commission.points import Value
from edge.console.screens import clean, duration, table

GOOD = "good"
RAW_WIDTH, TEXT_WIDTH = 19, 26  # four registers; the longest quantity or two flags, more on a line of its own


def values_screen(values: Sequence[Value], now_mono_ms: int) -> list[str]:
    """A row for each point; what does not fit into its column follows below."""
    head = ("point", "value", "raw (hex)", "age", "quality")
    rows, more = [], []
    for value in values:
        text = clean(value.text, 400)
        if len(text) > TEXT_WIDTH:
            more.append(clean(f"{value.point}: {text}", 400))
            text = text[: TEXT_WIDTH - 3] + "..."
        age = duration(now_mono_ms - value.taken_mono_ms) if value.raw else "--"
        rows.append((value.point, text, value.raw or "--", age, value.quality))
    lines = [clean(f"{values[0].device}, {_latency(values)}")] if values else []
    lines += table(head, rows, right=(3,))
    return lines + [line for text in more for line in _folded(text)]


def _latency(values: Sequence[Value]) -> str:
    latencies = [value.latency_us for value in values if value.latency_us]
    return f"answers after {max(latencies) / 1000:.1f} ms at most" if latencies else "no answer"


def _folded(text: str) -> list[str]:
    lines, line = [], " "
    for word in text.split():
        if len(line) + len(word) > 78:
            lines.append(line)
            line = "   "
        line += f" {word}"
    return [*lines, line]
