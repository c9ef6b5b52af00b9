"""A site file is right, or every mistake in it is named at once."""

from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from edge.config.reader import load_config, parse_config
from edge.errors import ConfigFault

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "site.example.toml"


def example() -> dict[str, Any]:
    return tomli.loads(EXAMPLE.read_text())


def problems_of(tables: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigFault) as caught:
        parse_config(tables, "site.toml")
    return [str(problem) for problem in caught.value.problems]


def test_the_example_is_a_site() -> None:
    config = load_config(EXAMPLE)
    assert config.site.cycle_ms == 100
    assert {device.use for device in config.device} == {"poc", "pcs", "bms", "pv", "load"}


def test_all_mistakes_are_named_at_once_with_file_key_value_and_range() -> None:
    tables = example()
    tables["site"]["cycle_ms"] = 20
    tables["limits"]["import_max_kw"] = 80
    tables["unit"][0]["soc_min_cpct"] = "ten"
    del tables["limits"]["import_max_w"]
    found = problems_of(tables)
    assert "site.toml: site.cycle_ms = 20: must be 50..1000" in found[0]
    assert any("limits.import_max_kw = 80: unknown key" in text and "import_max_w" in text for text in found)
    assert any("unit[0].soc_min_cpct = 'ten': must be a whole number" in text for text in found)
    assert any("limits.import_max_w: is missing" in text for text in found)
    assert len(found) == 4


def test_a_whole_number_is_not_true_and_not_a_float() -> None:
    for wrong in (True, 100.0, None):
        tables = example()
        tables["site"]["cycle_ms"] = wrong
        assert len(problems_of(tables)) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t["device"][1].update(address=1), "device[1].address = 1: is the address of poc on port fast"),
        (lambda t: t["device"][1].update(name="poc"), "device[1].name = 'poc': is taken by device[0]"),
        (lambda t: t["device"][0].update(port="third"), "device[0].port = 'third': is no [[port]]"),
        (lambda t: t["port"][1].update(path=t["port"][0]["path"]), "is the path of port[0] too"),
        (lambda t: t["unit"][0].update(bms="pcs1"), "unit[0].bms = 'pcs1': is no [[device]] with use = 'bms'"),
        (lambda t: t["unit"][0].update(soc_min_cpct=9_900), "must be below soc_max_cpct"),
        (lambda t: t["unit"].append(dict(t["unit"][0])), "belongs to another unit already"),
        (lambda t: t.update(unit=[]), "must be 1..8"),
        (lambda t: t["device"][0].update(averaging_ms=2_001), "device[0].averaging_ms = 2001: must be 0..2000"),
        (lambda t: t["device"][0].update(averaging_ms=-1), "device[0].averaging_ms = -1: must be 0..2000"),
        (lambda t: t["device"][1].update(averaging_ms=20), "averaging_ms = 20: is only for use = 'poc' or 'load'"),
        (lambda t: t["device"].pop(0), "needs one with use = 'poc'"),
        (lambda t: t["rule"].update(intensity_low_g_per_kwh=500), "must be below 400"),
        (lambda t: t["limits"].update(ramp_up_max_w_per_s=0), "both ramps or none"),
        (lambda t: t["signal"].update(kind="file"), "is needed for kind = 'file'"),
        (lambda t: t["store"].update(path=""), "is needed with cloud.host"),
    ],
)
def test_a_contradiction_between_options_is_named(change: Any, expected: str) -> None:
    tables = example()
    change(tables)
    assert any(expected in text for text in problems_of(tables))


def test_a_file_that_is_not_there_or_not_toml_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    for content in (None, b"\xff\xfe", b"= 3", b"[" * 5_000):
        path = tmp_path / "site.toml"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigFault):
            load_config(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["schema", "site", "limits", "port", "device", "unit", "x"]), VALUES))
def test_any_tables_are_a_config_or_a_list_of_problems(tables: dict[str, Any]) -> None:
    with pytest.raises(ConfigFault) as caught:
        parse_config(tables, "site.toml")
    assert caught.value.problems


@given(st.sampled_from(["site", "limits", "rule", "store", "cloud", "console", "signal"]), st.text(max_size=6), VALUES)
def test_one_wild_value_in_a_good_site_never_crashes(table: str, key: str, value: Any) -> None:
    tables = example()
    tables[table] = {**tables[table], key: value}
    try:
        parse_config(tables, "site.toml")
    except ConfigFault as fault:
        assert fault.problems
