"""The words on the command line: a store becomes a folder, the folder is checked, and every ending has its code."""

import json
from pathlib import Path

import pytest
import tomli

from edge.__main__ import main
from edge.carbon.desk.acts import period_of
from edge.carbon.desk.inbox import Inbox
from edge.errors import DataFault
from edge.store.db.journal import Journal
from tests.carbon.ledger_kit import SITE, Kept, year_of


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site file and the store of three days."""
    folder = tmp_path_factory.mktemp("site")
    text = SITE.read_text().replace("/var/lib/tidewatt-edge", str(folder / "store"))
    assert tomli.loads(text)["store"]["path"] == str(folder / "store")
    (folder / "site.toml").write_text(text)
    journal = Journal(folder / "store", max_bytes=64 << 20)
    for row in year_of(3).rows:
        journal.append_ledger(1, 1, row)
    assert journal.flush()
    journal.close()
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["ledger", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def export(
    capsys: pytest.CaptureFixture[str], store: Path, to: Path, first: str = "2026-01-01", last: str = "2026-01-02"
) -> int:
    return run(capsys, "export", "-c", str(store / "site.toml"), "--from", first, "--to", last, str(to))[0]


def test_export_then_verify(capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path) -> None:
    assert export(capsys, store, tmp_path / "a") == 0 and export(capsys, store, tmp_path / "b") == 0
    names = sorted(path.name for path in (tmp_path / "a").rglob("*"))
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    code, out, _ = run(capsys, "verify", str(tmp_path / "a"))
    assert (
        code == 0 and out.startswith("right") and "192 intervals" in out and "missing  the signature of 2 of 2" in out
    )
    assert run(capsys, "verify", "--strict", str(tmp_path / "a"))[0] == 1
    assert run(capsys, "verify", "--key", "ab" * 32, str(tmp_path / "a"))[0] == 1
    told = json.loads(run(capsys, "verify", "--json", str(tmp_path / "a"))[1])
    assert told["right"] and told["roots"] == 2 and told["finding"] is None


def test_a_changed_package_is_wrong(capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path) -> None:
    export(capsys, store, tmp_path / "a")
    table = tmp_path / "a" / "registers.csv"
    table.write_bytes(table.read_bytes().replace(b"measured", b"measurec", 1))
    code, out, _ = run(capsys, "verify", str(tmp_path / "a"))
    assert (code, out) == (1, "WRONG  registers.csv:2: quality: expected measured, found measurec\n")
    told = json.loads(run(capsys, "verify", "--json", str(tmp_path / "a"))[1])
    assert told["finding"]["line"] == 2 and told["finding"]["file"] == "registers.csv"


def test_what_is_no_package_is_said(capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path) -> None:
    assert run(capsys, "verify", str(tmp_path / "none"))[0] == 2
    code, _, err = run(capsys, "verify", str(tmp_path))
    assert code == 2 and "no evidence package" in err
    export(capsys, store, tmp_path / "a")
    (tmp_path / "a" / "link").symlink_to("/etc/passwd")
    assert "no plain file" in run(capsys, "verify", str(tmp_path / "a"))[2]


def test_a_folder_with_something_in_it_is_not_written_to(
    capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("mine")
    assert export(capsys, store, tmp_path) == 2 and [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_period_that_is_none_is_said(capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path) -> None:
    for first, last, word in (
        ("2025-01-01", "2025-01-02", "no interval"),
        ("x", "y", "days such as"),
        ("2026-02-01", "2026-01-01", "before"),
    ):
        words = ["export", "-c", str(store / "site.toml"), "--from", first, "--to", last, str(tmp_path / "a")]
        code, _, err = run(capsys, *words)
        assert code == 2 and word in err
    with pytest.raises(DataFault, match="no such zone"):
        period_of("2026-01-01", "2026-01-02", "Texas/../Dallas")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-01", 24)])
def test_a_local_day_has_its_hours(day: str, hours: int) -> None:
    period = period_of(day, day, "America/Chicago")
    assert period.stop_ms - period.first_ms == hours * 3_600_000


def test_status_and_show(capsys: pytest.CaptureFixture[str], store: Path) -> None:
    code, out, _ = run(capsys, "status", "-c", str(store / "site.toml"))
    assert code == 0 and "interval 288" in out and "chain       whole" in out
    told = json.loads(run(capsys, "status", "--json", "-c", str(store / "site.toml"))[1])
    assert told["kinds"]["day_root"] == 3 and told["fault"] == ""
    code, out, _ = run(capsys, "show", "-c", str(store / "site.toml"), "--last", "3")
    assert code == 0 and len(out.splitlines()) == 4 and "day_root" in out and max(map(len, out.splitlines())) < 160
    lines = run(capsys, "show", "-c", str(store / "site.toml"), "--kind", "day_root", "--json")[1].splitlines()
    assert [json.loads(line)["body"]["day"] for line in lines] == ["2026-01-01", "2026-01-02", "2026-01-03"]


def test_a_chain_that_began_again_is_exported_from_there(
    capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path
) -> None:
    text = (store / "site.toml").read_text().replace(str(store / "store"), str(tmp_path / "store"))
    (tmp_path / "site.toml").write_text(text)
    journal = Journal(tmp_path / "store", max_bytes=64 << 20)
    for row in [*year_of(1).rows[:50], b"\x00damaged", *year_of(2).rows]:
        journal.append_ledger(1, 1, row)
    assert journal.flush()
    journal.close()
    assert export(capsys, tmp_path, tmp_path / "a") == 0
    assert run(capsys, "verify", str(tmp_path / "a"))[0] == 0
    assert run(capsys, "status", "-c", str(tmp_path / "site.toml"))[0] == 1


def rows_at(folder: Path, rows: list[bytes]) -> Path:
    """A site file beside a store with these rows."""
    (folder / "site.toml").write_text(SITE.read_text().replace("/var/lib/tidewatt-edge", str(folder / "store")))
    journal = Journal(folder / "store", max_bytes=64 << 20)
    for row in rows:
        journal.append_ledger(1, 1, row)
    assert journal.flush()
    journal.close()
    return folder


def test_behind_a_hole_the_next_whole_day_counts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = year_of(4).rows
    rows_at(tmp_path, rows[:50] + rows[60:])
    assert export(capsys, tmp_path, tmp_path / "a", "2026-01-01", "2026-01-04") == 0
    code, out, _ = run(capsys, "verify", str(tmp_path / "a"))
    assert code == 0 and "288 intervals" in out and "missing  intervals: 1440 min from 2026-01-01" in out


def test_behind_a_hole_without_a_whole_day_there_is_nothing_yet(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = year_of(1).rows
    rows_at(tmp_path, rows[:50] + rows[60:90])
    words = [
        "export",
        "-c",
        str(tmp_path / "site.toml"),
        "--from",
        "2026-01-01",
        "--to",
        "2026-01-01",
        str(tmp_path / "a"),
    ]
    code, _, err = run(capsys, *words)
    assert code == 2 and "rows of the ledger are missing" in err


def test_a_correction_waits_for_the_controller_and_stands_beside_what_it_corrects(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = year_of(1)
    rows_at(tmp_path, kept.rows)
    config = str(tmp_path / "site.toml")
    line = json.loads(run(capsys, "show", "-c", config, "--kind", "interval", "--last", "1", "--json")[1])
    line["body"]["it_mj"] = 5
    (tmp_path / "new.json").write_text(json.dumps(line))
    words = ["correct", "-c", config, "--entry", str(line["no"]), "--who", "A. Auditor", "--why", "a seal was broken"]
    code, out, _ = run(capsys, *words, str(tmp_path / "new.json"))
    assert code == 0 and "takes it within ten seconds" in out
    inbox = Inbox(tmp_path / "store")
    (correction,) = inbox.take(0)
    assert inbox.take(20_000) == [] and correction.no == line["no"] and correction.who == "A. Auditor"
    again = Kept(rows=kept.rows)
    again.ledger.correct(correction)
    again.settle()
    assert again.of("correction")[0].body["interval"]["it_mj"] == 5
    line["body"]["stop_ms"] += 1
    for body, word in (
        (line, "of the same time"),
        ({"body": {}}, "the keys"),
        ({"body": 3}, "the body of an interval"),
    ):
        (tmp_path / "new.json").write_text(json.dumps(body))
        code, _, err = run(capsys, *words, str(tmp_path / "new.json"))
        assert code == 2 and word in err
    assert run(capsys, *words[:4], "1", *words[5:], str(tmp_path / "new.json"))[0] == 2


def test_a_file_that_is_no_correction_is_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    folder.mkdir()
    for index, raw in enumerate(
        (b"", b"[]", b'{"entry":1}', b"\xff", b'{"entry":1,"digest":"a","interval":{},"who":"a","why":"b"}')
    ):
        (folder / f"{index}.json").write_bytes(raw)
    assert Inbox(tmp_path).take(0) == []
    assert sorted(path.suffix for path in folder.iterdir()) == [".bad"] * 5
    assert Inbox(tmp_path / "none").take(0) == []
