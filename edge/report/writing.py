"""What `edge report` does: reads a store, writes one HTML file.

Exit: 0 written · 2 nothing of that time is kept, or the file cannot be written.
"""

import argparse
import sys
from pathlib import Path

from edge.config.reader import load_config
from edge.errors import DataFault
from edge.report.reading import read_material
from edge.report.sheet.material import Period, day_of, month_of
from edge.report.sheet.page import page
from edge.report.words import rules_of


def write_report(options: argparse.Namespace) -> int:
    """Writes the page. Raises ConfigFault, DataFault."""
    config = load_config(options.config)
    period: Period = day_of(options.day, options.zone) if options.day else month_of(options.month, options.zone)
    text = page(read_material(config, period, rules_of(config, options.annual), _progress))
    _progress("")
    path: Path = options.out or Path(f"{config.site.id}-{period.label}.html")
    if str(path) == "-":
        sys.stdout.write(text)
        return 0
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataFault(f"--out {path}: {error.strerror or error}") from error
    print(f"{path}: {period.kind} {period.label} {period.zone.key}, {len(text.encode()) / 1000:.0f} kB")
    return 0


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{f'reading {text}' if text else '':<24}", end="" if text else "\r", file=sys.stderr, flush=True)
