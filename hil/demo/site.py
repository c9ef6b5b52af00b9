"""The demo's site file: the example with the paths and ports of this run, so that what is shown is what is shipped."""

from pathlib import Path
from typing import Any

from edge.config.options import Config
from edge.config.reader import parse_config, read_toml
from hil.day.image import EXAMPLE


def demo_tables(folder: Path, paths: dict[str, str], broker_port: int, signal: dict[str, Any]) -> dict[str, Any]:
    """Tables of the site file."""
    tables = read_toml(EXAMPLE)
    for port in tables["port"]:
        port["path"] = paths[port["name"]]
    tables["store"] = {"path": str(folder / "store"), "sync_ms": 2_000}
    tables["cloud"] = {"host": "127.0.0.1", "port": broker_port, "reconnect_max_s": 2, "backfill_start_max_s": 0}
    tables["console"] = {"socket": str(folder / "console.sock")}
    tables["signal"] = signal
    return tables


def example_config() -> Config:
    """The example as it is: which ports and devices there are."""
    return parse_config(read_toml(EXAMPLE), EXAMPLE.name)


def render(tables: dict[str, Any]) -> str:
    """TOML of tables, lists of tables and plain values: all that a site file has."""
    lines = [f"schema = {tables['schema']}"]
    for name, value in tables.items():
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                lines += ["", f"[[{name}]]" if isinstance(value, list) else f"[{name}]"]
                lines += [f"{key} = {_plain(item)}" for key, item in entry.items()]
    return "\n".join(lines) + "\n"


def _plain(item: object) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    text = str(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
