"""The package: the same ledger gives the same bytes, it verifies, and whatever is changed in it is named."""

import json
import os
from random import Random

import pytest

from edge.carbon.evidence.account import Account
from edge.carbon.evidence.package import Period
from edge.carbon.evidence.verify import verify
from edge.carbon.interval import INTERVAL_MS
from edge.errors import DataFault
from tests.carbon.evidence.kit import BODY, BODY_SHA256, DAY_MS, WHOLE, MemorySource, package_of, period_of, rich
from tests.carbon.ledger_kit import START_MS, Kept, Plant, year_of

TRIES = int(os.environ.get("EVIDENCE_TRIES", "300"))  # `make evidence` asks for 10 000


@pytest.fixture(scope="module")
def ledger() -> Kept:
    return rich()


@pytest.fixture(scope="module")
def files(ledger: Kept) -> dict[str, bytes]:
    return package_of(ledger, WHOLE, {BODY_SHA256: BODY})


def account_of(files: dict[str, bytes]) -> Account:
    report = verify(MemorySource(files))
    assert report.finding is None, str(report.finding)
    assert report.account is not None
    return report.account


def test_a_package_verifies_and_says_what_is_missing(files: dict[str, bytes]) -> None:
    report = verify(MemorySource(files))
    assert report.finding is None, str(report.finding)
    assert "the signature of 1 of 1 daily roots" in report.missing[1] or "2 of 2" in " ".join(report.missing)
    assert any("of the meter pv1: calibrated" in text for text in report.missing)
    assert set(files) == {
        "manifest.json", "entries.jsonl", "intervals.csv", "registers.csv", "changes.csv", "roots.csv", "payloads.csv",
        "statement.json", "statement.html", "diagram.svg", "monitoring_plan.json", f"payloads/{BODY_SHA256}",
    }  # fmt: skip


def test_the_same_ledger_gives_the_same_bytes(ledger: Kept, files: dict[str, bytes]) -> None:
    assert package_of(ledger, WHOLE, {BODY_SHA256: BODY}) == files


def test_every_sum_is_that_of_the_intervals(ledger: Kept, files: dict[str, bytes]) -> None:
    account = account_of(files)
    assert account.residual_ug == 0
    corrected = {entry.body["entry"]: entry.body["interval"] for entry in ledger.of("correction")}
    bodies = [corrected.get(entry.no, entry.body) for entry in ledger.of("interval")]
    late_ug = sum(entry.body["difference_ug"] for entry in ledger.of("factor_revised"))
    inside = [body for body in bodies if body["start_ms"] < WHOLE.stop_ms]
    assert account.location_ug == sum(body["location_ug"] for body in inside) + late_ug
    assert account.interval_count == len(inside)
    told = json.loads(files["statement.json"])
    assert told["exact"]["location_ug"] == account.location_ug == account.carbon("grid")
    assert told["exact"]["import_mj"] == account.energy("grid")


def test_one_changed_byte_anywhere_is_named(files: dict[str, bytes]) -> None:
    """Each file as often as it is long, each at least a fiftieth of the tries."""
    random = Random(TRIES)
    names = sorted(files)
    weights = [max(len(files[name]), sum(map(len, files.values())) // 50) for name in names]
    for _ in range(TRIES):
        name = random.choices(names, weights)[0]
        at, other = random.randrange(len(files[name])), random.randrange(1, 256)
        changed = bytearray(files[name])
        changed[at] ^= other
        told = f"{name} byte {at} of {len(changed)}: {files[name][at]} became {changed[at]}"
        report = verify(MemorySource({**files, name: bytes(changed)}))
        assert report.finding is not None, told
        line = files[name][:at].count(b"\n") + 1
        assert report.finding.file == name, f"{told}, line {line}: {report.finding}"
        if report.finding.line and not name.startswith("payloads/"):
            assert abs(report.finding.line - line) <= 1, f"{told}, line {line}: {report.finding}"


def test_a_changed_number_is_named_with_its_field(files: dict[str, bytes]) -> None:
    lines = files["entries.jsonl"].split(b"\n")
    at = next(index for index, line in enumerate(lines) if b'"kind":"interval"' in line and index > 50)
    body = json.loads(lines[at])
    mj = body["body"]["it_mj"]
    lines[at] = lines[at].replace(f'"it_mj":{mj}'.encode(), f'"it_mj":{mj + 1}'.encode())
    found = verify(MemorySource({**files, "entries.jsonl": b"\n".join(lines)})).finding
    assert found is not None and (found.file, found.line) == ("entries.jsonl", at + 1)
    assert (found.field, found.expected, found.found) == ("it_mj (against intervals.csv)", str(mj), str(mj + 1))


def test_a_line_taken_out_doubled_or_moved_is_named(files: dict[str, bytes]) -> None:
    lines = files["entries.jsonl"].splitlines(keepends=True)
    for changed in (
        lines[:9] + lines[10:],
        [*lines[:9], lines[8], *lines[9:]],
        [*lines[:8], lines[9], lines[8], *lines[10:]],
    ):
        found = verify(MemorySource({**files, "entries.jsonl": b"".join(changed)})).finding
        assert found is not None and found.file == "entries.jsonl" and 8 <= found.line <= 11
    for changed in (lines[:-1], lines[1:]):
        assert verify(MemorySource({**files, "entries.jsonl": b"".join(changed)})).finding is not None


def test_bytes_put_behind_the_end_are_named(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        for more in (b"\n", b"x", b"0\n"):
            found = verify(MemorySource({**files, name: data + more})).finding
            assert found is not None and found.file == name, f"{name} {more!r}: {found}"


def test_a_file_taken_out_or_put_in_is_named(files: dict[str, bytes]) -> None:
    for name in files:
        rest = {key: value for key, value in files.items() if key != name}
        if name == "manifest.json":
            with pytest.raises(DataFault, match="no evidence package"):
                verify(MemorySource(rest))
            continue
        found = verify(MemorySource(rest)).finding
        assert found is not None and found.file == name and found.found == "not there"
    found = verify(MemorySource({**files, "notes.txt": b"x"})).finding
    assert found is not None and found.file == "notes.txt"


def test_a_forger_who_makes_all_hashes_anew_is_not_found_but_has_no_signature(files: dict[str, bytes]) -> None:
    """What a chain can and cannot show; the statement says so among its limits."""
    report = verify(MemorySource(files))
    assert report.signed_count == 0 and any("signature" in text for text in report.missing)
    assert b"does not show that its maker did not make it anew" in files["statement.html"]


def test_a_period_takes_whole_days_and_what_later_entries_say_of_them(ledger: Kept) -> None:
    inside = Period(START_MS + 5 * INTERVAL_MS, START_MS + 9 * INTERVAL_MS)
    account = account_of(package_of(ledger, inside))
    assert account.interval_count == 4 and account.corrected_count == 1
    kept = year_of(3)
    files = package_of(kept, period_of(START_MS + DAY_MS, 1))
    kinds = [json.loads(line)["kind"] for line in files["entries.jsonl"].splitlines()]
    assert kinds == ["plan", *["interval"] * 96, "day_root"]
    assert account_of(files).interval_count == 96


def test_a_period_without_intervals_is_refused(ledger: Kept) -> None:
    with pytest.raises(DataFault, match="no interval"):
        package_of(ledger, period_of(0, 1))


def test_a_local_day_of_23_or_25_hours_is_a_period_like_any_other() -> None:
    """2026-03-08 in Texas is 06:00 UTC to 05:00 UTC: 92 quarters."""
    kept, plant = Kept(), Plant(start_ms=1_772_928_000_000)
    kept.note(*(plant.interval() for _ in range(2 * 96)))
    hour = 3_600_000
    account = account_of(package_of(kept, Period(1_772_928_000_000 + 6 * hour, 1_772_928_000_000 + 29 * hour)))
    assert account.interval_count == 92 and not account.absent


def test_more_than_five_percent_substituted_is_limited() -> None:
    for skipped, limited in ((4, False), (5, True)):  # of 96
        kept, plant = Kept(), Plant()
        kept.note(*(plant.interval() for _ in range(10)))
        plant.skip(skipped)
        kept.note(*(plant.interval() for _ in range(86 - skipped)))
        files = package_of(kept, period_of(START_MS, 1))
        account = account_of(files)
        assert account.limited is limited and (b"Limited.</b>" in files["statement.html"]) is limited


def test_a_package_of_a_newer_format_is_refused_in_words(files: dict[str, bytes]) -> None:
    for raw in (b"", b"[]", b"{", b'{"format":2}', b'{"format":"x"}', b'{"files":3,"format":1}'):
        report = verify(MemorySource({**files, "manifest.json": raw}))
        assert report.finding is not None and report.finding.file == "manifest.json"


def test_no_text_of_the_site_file_becomes_markup_or_a_formula(files: dict[str, bytes]) -> None:
    assert b"Demo &lt;Ltd&gt; &amp; sons" in files["statement.html"] and b"<Ltd>" not in files["statement.html"]


def test_the_page_needs_nothing_from_anywhere(files: dict[str, bytes]) -> None:
    for word in (b"http://www", b"src=", b"@import", b"<script", b"url("):
        assert word not in files["statement.html"].replace(b'xmlns="http://www.w3.org/2000/svg"', b"")
