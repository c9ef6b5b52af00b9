"""Writes models.json, the layout of the models that are used here, from the JSON files of the pysunspec2 package.

`make sunspec-models` runs it; pysunspec2 is asked only for its files and never imported. Kept of each point: name, type,
registers, scale factor, unit; of each enumeration the names. No addresses are typed by hand anywhere.
"""

import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from edge.field.sunspec.models import FILE

# Common; inverters; their ratings and legacy controls; MPPT; meters; DER of IEEE 1547-2018; storage.
MODELS = (
    1, 101, 102, 103, 111, 112, 113, 120, 121, 122, 123, 124, 160, 201, 202, 203, 204, 211, 212, 213, 214,
    701, 702, 703, 704, 713, 714, 715, 802, 803,
)  # fmt: skip


def source_folder() -> Path | None:
    """Where an installed pysunspec2 keeps its model files; None when it is not installed."""
    spec = importlib.util.find_spec("sunspec2")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "models" / "json"


def generate(folder: Path, version: str) -> str:
    """The text of models.json. Raises OSError when a model is missing."""
    models = {}
    for number in MODELS:
        tables = json.loads((folder / f"model_{number}.json").read_text(encoding="utf-8"))
        models[str(number)] = _group(tables["group"])
    lines = [f'"{number}": {json.dumps(model, separators=(",", ":"))}' for number, model in models.items()]
    source = f"layouts of SunSpec models from pysunspec2 {version} (Apache-2.0); written by edge.field.sunspec.generate"
    return f'{{"source": {json.dumps(source)},\n"models": {{\n' + ",\n".join(lines) + "\n}}\n"


def _group(group: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": group["name"],
        "points": [
            [point["name"], point["type"], point["size"], point.get("sf", ""), point.get("units", "")]
            for point in group["points"]
        ],
    }
    symbols = {
        point["name"]: {str(symbol["value"]): symbol["name"] for symbol in point["symbols"]}
        for point in group["points"]
        if point.get("symbols")
    }
    if symbols:
        found["symbols"] = symbols
    if group.get("count", 1) != 1:
        found["count"] = group["count"]  # the name of a point, or 0: as many as fit into the length
    if group.get("groups"):
        found["groups"] = [_group(inner) for inner in group["groups"]]
    return found


def main() -> int:
    """Entry point of `python -m edge.field.sunspec.generate`: 0 written, 2 without pysunspec2."""
    folder = source_folder()
    if folder is None:
        print('pysunspec2 is not installed; it comes with the extra: pip install ".[sunspec]"', file=sys.stderr)
        return 2
    text = generate(folder, importlib.metadata.version("pysunspec2"))
    FILE.write_text(text, encoding="utf-8")
    print(f"{FILE.name}: {len(MODELS)} models, {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
