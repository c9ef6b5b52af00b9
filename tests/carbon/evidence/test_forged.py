"""A forger who makes the whole chain anew over a changed number: what does not add up is still named, at its line."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge.carbon.evidence.verify import verify
from edge.carbon.ledger.entry import canonical, sha256
from tests.carbon.evidence.kit import WHOLE, MemorySource, package_of, rich

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return package_of(rich(), WHOLE)


def charge(entry: Entry) -> None:
    """One microgram more was in the battery before, and one more was written off: balanced, but not what was left."""
    entry["body"]["pool"]["open_ug"] += 1
    entry["body"]["pool"]["loss_ug"] += 1


def bump(*path: Any) -> Callable[[Entry], None]:
    def act(entry: Entry) -> None:
        inner = entry["body"]
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] += 5

    return act


def put(key: str, value: Any) -> Callable[[Entry], None]:
    return lambda entry: entry["body"].update({key: value})


def lose(entry: Entry) -> None:
    next(flow for flow in entry["body"]["flows"] if flow["to"] == "losses")["mj"] += 5


FORGED: list[tuple[str, Callable[[Entry], None]]] = [
    ("interval", lose),
    ("interval", charge),
    ("interval", bump("factor", "mg_per_kwh")),
    ("interval", bump("location_ug")),
    ("interval", bump("market", "ug")),
    ("interval", bump("registers", 0, "delta_wh")),
    ("interval", put("missing_ms", -1)),
    ("interval", put("quality", "estimated")),
    ("interval", put("stop_ms", 0)),
    ("interval", lambda entry: entry["body"]["factor"].update(kind="marginal")),
    ("interval", lambda entry: entry["body"].pop("market")),
    ("day_root", put("root", "ab" * 32)),
    ("day_root", bump("count")),
    ("day_root", bump("first_no")),
    ("rollover", bump("delta_wh")),
    ("correction", put("digest", "ab" * 32)),
    ("correction", lambda entry: entry["body"]["interval"].update(start_ms=5)),
    ("correction", lambda entry: entry["body"]["interval"].update(location_ug=5)),
    ("factor_revised", bump("difference_ug")),
    ("factor_revised", put("digest", "ab" * 32)),
    ("clock_correction", put("offset_ms", "5")),
    ("pool_step", bump("from_ug")),
    ("opening", lambda entry: entry["body"]["plan"].pop("meters")),
    ("interval", lambda entry: entry.update(site="another")),
    ("interval", lambda entry: entry.update(no=entry["no"] + 1)),
]


def chained(entries: list[Entry]) -> bytes:
    previous, lines = entries[0]["previous"], []
    for entry in entries:
        lines.append(canonical({**entry, "previous": previous}))
        previous = sha256(lines[-1])
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize(("kind", "edit"), FORGED)
def test_what_does_not_add_up_is_named(files: dict[str, bytes], kind: str, edit: Callable[[Entry], None]) -> None:
    entries = [json.loads(line) for line in files["entries.jsonl"].splitlines()]
    found = [index for index, entry in enumerate(entries) if entry["kind"] == kind]
    at = found[min(11, len(found) - 1)]
    edit(entries[at])
    finding = verify(MemorySource({**files, "entries.jsonl": chained(entries)})).finding
    assert finding is not None and (finding.file, finding.line) == ("entries.jsonl", at + 1), str(finding)


def test_an_entry_left_out_of_a_chain_made_anew_is_missed_by_its_root(files: dict[str, bytes]) -> None:
    entries = [json.loads(line) for line in files["entries.jsonl"].splitlines()]
    at = next(index for index, entry in enumerate(entries) if entry["kind"] == "factor_revised")
    root = next(index for index, entry in enumerate(entries) if entry["kind"] == "day_root" and index > at) - 1
    shorter = [{**entry, "no": index + 1} for index, entry in enumerate(entries[:at] + entries[at + 1 :])]
    finding = verify(MemorySource({**files, "entries.jsonl": chained(shorter)})).finding
    assert finding is not None and (finding.file, finding.line, finding.field) == ("entries.jsonl", root + 1, "count")
