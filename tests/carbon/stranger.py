"""The check of a package by somebody who has the handbook page and Python, and nothing of ours: `stranger.py FOLDER`."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def root(lines: list[bytes]) -> str:
    level = [sha(b"\0" + line) for line in lines]
    while len(level) > 1:
        pairs = [sha(b"\1" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0].hex()


def read_manifest(folder: Path) -> Any:
    manifest = json.loads((folder / "manifest.json").read_text())
    told = manifest.pop("self")
    if sha(canonical(manifest)).hex() != told:
        sys.exit("manifest: its own hash")
    for name, file in manifest["files"].items():
        if sha((folder / name).read_bytes()).hex() != file["sha256"]:
            sys.exit(f"{name}: not the hash of the manifest")
    return manifest


def read_chain(folder: Path, manifest: Any) -> tuple[list[Any], int]:
    """The entries in order, and how many days have a root."""
    previous, no, day, roots, found = manifest["previous"], manifest["first_no"], list[bytes](), 0, []
    for line in (folder / "entries.jsonl").read_bytes().splitlines():
        entry = json.loads(line)
        if canonical(entry) != line or (entry["no"], entry["previous"]) != (no, previous):
            sys.exit(f"entry {no}: is not as it must be written, or does not follow the one before")
        previous, no = sha(line).hex(), no + 1
        found.append(entry)
        if entry["kind"] != "day_root":
            day.append(line)
        elif (entry["body"]["root"], entry["body"]["count"]) != (root(day), len(day)):
            sys.exit(f"entry {entry['no']}: the root")
        else:
            day, roots = [], roots + 1
    if previous != manifest["head"]:
        sys.exit("the last entry is not the head")
    return found, roots


def location_ug(entries: list[Any], period: Any) -> int:
    """The location-based figure: what counts of each interval, at the time that counts, plus late factors."""
    later: dict[str, dict[int, Any]] = {"clock_correction": {}, "correction": {}, "factor_revised": {}}
    for entry in entries:
        if entry["kind"] in later:
            later[entry["kind"]][entry["body"]["entry"]] = entry["body"]
    total = 0
    for entry in entries:
        if entry["kind"] != "interval":
            continue
        no = entry["no"]
        body = later["correction"].get(no, {"interval": entry["body"]})["interval"]
        ug = sum(flow["ug"] for flow in body["flows"] if flow["from"] == "grid") + (body["gap"] or {"ug": 0})["ug"]
        if ug != body["location_ug"]:
            sys.exit(f"entry {no}: location_ug")
        if no not in later["correction"]:
            ug += later["factor_revised"].get(no, {"difference_ug": 0})["difference_ug"]
        start_ms = body["start_ms"] + later["clock_correction"].get(no, {"offset_ms": 0})["offset_ms"]
        total += ug if period["first_ms"] <= start_ms < period["stop_ms"] else 0
    return total


if __name__ == "__main__":
    here = Path(sys.argv[1])
    said = read_manifest(here)
    chain, root_count = read_chain(here, said)
    print(len(chain), root_count, location_ug(chain, said["period"]))
