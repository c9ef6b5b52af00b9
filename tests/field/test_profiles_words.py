"""`edge profile`: lists, sheets, blueprints, and everything that is wrong with a file at once."""

import json
import re
from pathlib import Path

import pytest
import tomli

from edge.__main__ import main
from edge.errors import ConfigFault
from edge.field.profiles.blueprint import blueprint
from edge.field.profiles.loader import FOLDER, load_profile, parse_profile, read_profile, shipped
from edge.field.profiles.sheet import page
from edge.roles import FLAGS_MANDATORY, KINDS, ROLES

HANDBOOK = Path(__file__).resolve().parents[2] / "deploy" / "handbook" / "devices.md"


def test_the_handbook_is_as_the_profiles_are() -> None:
    text = "\n".join(page([load_profile(name) for name in shipped()])) + "\n"
    assert HANDBOOK.read_text() == text, "run: edge profile list --markdown > deploy/handbook/devices.md"


def test_the_list_has_every_profile_once_and_its_columns_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == shipped()
    at = head.index("kind")
    assert all(row[at - 1] == " " and row[at:].split()[0] in KINDS for row in rows)
    assert main(["profile", "list", "--json"]) == 0
    assert {row["id"] for row in json.loads(capsys.readouterr().out)} == set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_a_sheet_tells_every_point_with_its_address_in_both_forms(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "show", name]) == 0
    out = capsys.readouterr().out
    profile = load_profile(name)
    assert profile.source in out
    for block in profile.blocks:
        for point in block.points:
            line = next(line for line in out.splitlines() if line.startswith(f"{point.name} "))
            assert f" {point.addr} " in line and f" 0x{point.addr:04X} " in line and f"{block.period_ms} ms" in line
            assert point.role in line
    for write in profile.writes:
        assert re.search(rf"^{write.name} +{write.addr} +0x{write.addr:04X} +FC{write.fc} ", out, re.M)


def test_scales_are_shown_in_the_units_that_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    main(["profile", "show", "seplos-3"])
    out = capsys.readouterr().out
    for expected in (
        r"pack_voltage .* u16 +0.01 +V ",
        r"pack_current .* s16 +-0.01 +A ",
        r"cell_temp_max .* u16 +0.1 - 273.1 +°C ",
        r"soc .* u16 +0.1 +% ",
        r"fets.0 +discharge FET, flag discharge_forbidden, while 0",
    ):
        assert re.search(expected, out), expected


def test_an_unknown_id_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "show", "nothing"]) == 2
    assert "there are: abb-b23" in capsys.readouterr().err


def filled(kind: str) -> str:
    """A blueprint with its marks replaced as somebody would who has a document at hand."""
    lines, addr, bit = [], 100, 0
    answers = {"fc": "3", "start": "100", "count": "40", "scale": "1", "baud": "9600", "min": "-1000", "max": "1000"}
    for line in blueprint(kind, "mine").splitlines():
        key = line.partition("=")[0].strip()
        if line.startswith("#") or '"?' not in line:
            lines.append(line)
        elif key.startswith('"?'):
            lines.append(f"{bit} =" + line.partition("=")[2])
            bit += 1
        elif key == "addr":
            lines.append(f"addr = {addr}")
            addr += 2
        else:
            answer = answers.get(key, '"s16"' if key == "type" else '"Maker, manual 1.2"')
            lines.append(line.replace('"?"', "6" if key == "fc" and "6 one register" in line else answer))
    return "\n".join(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_a_blueprint_is_no_profile_until_it_is_filled_in_and_then_it_is(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "new", kind, "--id", "mine"]) == 0
    count = int(re.search(r"(\d+) places", capsys.readouterr().out)[1])
    assert main(["profile", "check", "mine.toml"]) == 2
    problems = capsys.readouterr().err.splitlines()[:-1]
    assert len(problems) == count and all("is still to be filled in" in line for line in problems)
    (tmp_path / "mine.toml").write_text(filled(kind))
    assert main(["profile", "check", "mine.toml"]) == 0
    out = capsys.readouterr().out
    assert "mine.toml: good" in out
    wanted = [role.name for role in ROLES.values() if role.kind == kind and role.mandatory]
    assert all(word in out for word in (*wanted, *FLAGS_MANDATORY[kind]))
    assert not read_profile(tmp_path / "mine.toml").verified


def test_a_file_that_is_there_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new-pv.toml").write_text("mine")
    assert main(["profile", "new", "pv"]) == 2
    assert "is there already and was left alone" in capsys.readouterr().err
    assert (tmp_path / "new-pv.toml").read_text() == "mine"
    assert main(["profile", "new", "pv", "--id", "../x"]) == 2
    assert not (tmp_path.parent / "x.toml").exists()


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.toml").write_text("[profile")
    assert main(["profile", "check", str(tmp_path / "bad.toml")]) == 2
    assert "bad.toml: file: not TOML" in capsys.readouterr().err
    assert main(["profile", "check", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err


# profile, a place in its tables, what is put there, and what is said about it
MISTAKES = [
    ("remote-io-8", ("block", 0, "count"), 4, "point inputs at 0 is outside the block"),
    ("remote-io-8", ("point", 0, "type"), "u16", "reads single bits, and point inputs is of type u16"),
    ("remote-io-8", ("point", 0, "bits", "0"), {"flag": "estop", "active": 2}, "active = 0 or 1"),
    ("remote-io-8", ("write", 0, "fc"), 6, "must be 5 or 15 for a bit"),
    ("remote-io-8", ("write", 0, "verify"), {"addr": 0, "fc": 3, "delay_ms": 0}, "must be 1 for a bit"),
    ("remote-io-8", ("write", 0, "max"), 2, "does not fit bit"),
    ("gaote", ("point", 4, "mask"), 0x20, "every number of [point.values] must lie inside it"),
    ("gaote", ("point", 4, "values"), {"0x25": {"name": "on", "active": 0}}, "only a bit can be the other way round"),
    ("acrel-adl400", ("point", 0, "times"), ["nothing"], "must be the name of a whole-number point without a role"),
    ("acrel-adl400", ("point", 0, "times"), ["power_total"], "must be the name of a whole-number point without a role"),
    ("acrel-adl400", ("point", 1, "times"), ["ct_ratio"], "only for a whole number with a role"),
    ("sungrow-sh", ("write", 0, "fc"), 6, "must be 6 (one register) or 16"),
    ("sungrow-sh", ("write", 0, "type"), "s16", "the amount has no sign"),
    ("sungrow-sh", ("write", 0, "before"), [70_000], "at most 8 raw values"),
    ("sungrow-sh", ("write", 0, "direction", "none"), 0xAA, "must be three different values"),
    ("sungrow-sh", ("watchdog", "rewrite_ms"), 20_000, "must be shorter than the timer itself"),
    ("huawei-sun2000", ("write", 0, "flash"), True, "flash memory wears out"),
    ("huawei-sun2000", ("link", "latency_max_ms"), 1_500, "the longest that it takes to answer"),
    ("huawei-sun2000", ("link", "gaps_allowed"), False, "nothing is known of register 32082"),
    ("fenecon-commercial-40", ("command", 0, "fc"), 7, "must be 5 (a coil), 6 or 16"),
    ("abb-b23", ("profile", "notes"), "one", "must be a list of texts"),
    ("abb-b23", ("profile", "verified"), "no", "must be true or false"),
]


@pytest.mark.parametrize(("name", "place", "value", "said"), MISTAKES, ids=[f"{m[0]}-{m[1]}-{m[2]}" for m in MISTAKES])
def test_a_mistake_is_named_with_what_is_allowed(
    name: str, place: tuple[str | int, ...], value: object, said: str
) -> None:
    tables = tomli.loads((FOLDER / f"{name}.toml").read_text())
    target = tables
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(ConfigFault) as caught:
        parse_profile(tables, f"{name}.toml")
    assert said in str(caught.value)


def test_a_register_that_wears_out_may_be_written_once_a_minute() -> None:
    tables = tomli.loads((FOLDER / "huawei-sun2000.toml").read_text())
    tables["write"][0] |= {"flash": True, "min_interval_ms": 60_000, "max_interval_ms": 600_000}
    assert parse_profile(tables, "x.toml").writes[0].flash


@pytest.mark.parametrize(
    ("words", "undone"),
    [
        (["profile", "check", "none.toml"], "1 problem; no site can use it like this"),
        (["profile", "new", "pcs", "--id", "A B"], "1 problem; nothing was written"),
        (["profile", "new", "bms", "--id", "soltaro-rack-c"], "1 problem; nothing was written"),
        (["run", "-c", "none.toml"], "1 problem; nothing was started"),
        (["check", "-c", "none.toml"], "1 problem; the site cannot be run like this"),
        (["read", "-c", "none.toml", "pcs1"], "1 problem; nothing was asked"),
        (["write", "-c", "none.toml", "pcs1", "power_set", "-1", "kW"], "1 problem; nothing was written"),
    ],
)
def test_a_word_that_fails_says_what_it_left_undone(
    words: list[str], undone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == undone
