"""Tables of emission factors: those that ship are whole, a bad one says everything that is wrong, weights weigh."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.__main__ import main
from edge.carbon.factors.table import load_table, load_tables, read_table
from edge.carbon.factors.use import factor_use
from edge.carbon.factors.weights import load_weights
from edge.carbon.flow import UNKNOWN_MG_PER_KWH
from edge.errors import ConfigFault
from edge.plan.signals.base import IntensityReading, Origin
from edge.plan.signals.samples import FUELS

GOOD = """schema = 1
version = "1"
region = "here"
year = 2023
gases = "CO2"
source = "the book"
licence = "free"
[annual]
direct_g_per_kwh = 332.9
[fuel.gas]
direct_g_per_kwh = 391.7
[fuel.unknown]
direct_g_per_kwh = 700
"""


def test_every_table_that_ships_is_good_and_speaks_of_fuels_that_exist() -> None:
    tables = load_tables()
    assert len(tables) >= 11 and len({table.id for table in tables}) == len(tables)
    for table in tables:
        assert {name for name, _ in table.fuels} <= set(FUELS), table.id
        assert not table.fuels or {"coal", "gas", "unknown"} <= {name for name, _ in table.fuels}, table.id
        for _, factor in table.fuels:
            for value, span in (
                (factor.direct_mg_per_kwh, factor.direct_range),
                (factor.lifecycle_mg_per_kwh, factor.lifecycle_range),
            ):
                assert span is None or (value is not None and span[0] <= value <= span[1]), table.id


def test_values_are_the_published_ones_to_the_milligram() -> None:
    ercot = dict(load_table("egrid2023-ercot").fuels)
    assert (ercot["coal"].direct_mg_per_kwh, ercot["gas"].direct_mg_per_kwh) == (1_062_400, 391_700)
    annual = {table.id: table.annual.direct_mg_per_kwh for table in load_tables()}
    assert annual["egrid2023-ercot"] == round(733.862 * 453.59237)  # lb/MWh
    assert annual["egrid2023-camx"] == round(428.464 * 453.59237)
    assert annual["eia-us-2023"] == 367_000 and annual["cbam-2025-other"] == 465_000


def test_a_mix_is_weighed_without_storage_and_imports_and_unknown_fuels_are_told() -> None:
    weights = load_weights("egrid2023-ercot", "direct")
    assert weights.weigh({"gas": 1, "wind": 1}) == (195_850, 0)
    assert weights.weigh({"gas": 1, "wind": 1, "storage": 900, "imports": 50}) == (195_850, 0)
    assert weights.weigh({"gas": 1, "wind": -5}) == (391_700, 0)
    assert weights.weigh({"gas": 3, "fusion": 1}) == ((3 * 391_700 + 700_000) // 4, 250)
    assert weights.weigh({"unknown": 7}) == (700_000, 1000)
    assert weights.weigh({}) is weights.weigh({"storage": 5}) is None


@given(st.dictionaries(st.sampled_from(FUELS), st.integers(-(10**8), 10**8)))
def test_an_average_lies_between_its_factors(power_kw: dict[str, int]) -> None:
    weights = load_weights("ipcc-ar5-2014", "lifecycle")
    found = weights.weigh(power_kw)
    running = [weights.mg_per_kwh[fuel] for fuel, kw in power_kw.items() if kw > 0 and fuel in weights.mg_per_kwh]
    if found is None:
        assert not running
    else:
        assert min(running) <= found[0] <= max(running) and 0 <= found[1] <= 1000


def test_a_basis_that_a_table_does_not_have_is_refused_with_the_one_it_has() -> None:
    with pytest.raises(ConfigFault, match=r"has no lifecycle values \(it has direct\)"):
        load_weights("egrid2023-ercot", "lifecycle")
    with pytest.raises(ConfigFault, match="no such table; there are: cbam"):
        load_weights("egrid1999", "direct")


def test_without_an_annual_average_the_factor_of_unknown_electricity_stands_in() -> None:
    assert load_weights("ipcc-ar5-2014", "lifecycle").annual_mg_per_kwh == UNKNOWN_MG_PER_KWH
    assert load_weights("cbam-2025-br", "direct").weigh({"gas": 5}) == (UNKNOWN_MG_PER_KWH, 1000)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("schema = 1", "schema = 2"), "schema = 2: must be 1"),
        (("391.7", "-1"), "fuel.gas.direct_g_per_kwh"),
        (("391.7", "391700"), "must be a number 0..5000 in g/kWh"),
        (("391.7", "nan"), "fuel.gas.direct_g_per_kwh"),
        (("391.7", "true"), "fuel.gas.direct_g_per_kwh"),
        (("fuel.unknown", "fuel.other"), "fuel.unknown: is missing"),
        (("direct_g_per_kwh = 391.7", "lifecycle_g_per_kwh = 490"), "is missing: all fuels have it, or none"),
        (("direct_g_per_kwh = 391.7", "direct_kg_per_kwh = 1"), "unknown key; allowed: direct_g_per_kwh"),
        (("direct_g_per_kwh = 391.7", "direct_g_per_kwh = 5\ndirect_range_g_per_kwh = [9, 1]"), "must be [low, high]"),
        (('source = "the book"', ""), "source: must be a text"),
        (("year = 2023", "year = 23"), "year = 23: must be a year"),
        (('gases = "CO2"', 'gases = "CO"'), "must be one of CO2, CO2e"),
        (("[annual]", "annual = 3\n[annual2]"), "annual = 3: must be a table"),
    ],
)
def test_a_bad_table_is_refused_with_file_and_key(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(ConfigFault) as fault:
        read_table(path)
    assert says in str(fault.value) and "mine.toml" in str(fault.value)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_table_are_a_table_or_a_fault(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("factors") / "any.toml"
    for head in (b"", GOOD.encode()):
        path.write_bytes(head + data)
        try:
            assert read_table(path).id == "any"
        except ConfigFault as fault:
            assert "any.toml" in str(fault)


def test_a_site_may_lay_its_own_table_beside_those_that_ship(tmp_path: Path) -> None:
    (tmp_path / "egrid2023-ercot.toml").write_text(GOOD)
    assert load_table("egrid2023-ercot", tmp_path).source == "the book"


def test_factors_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["factors", "list"]) == 0
    assert "egrid2023-ercot" in capsys.readouterr().out
    assert main(["factors", "show", "ipcc-ar5-2014"]) == 0
    shown = capsys.readouterr().out
    assert "740 .. 910" in shown and "doubt" in shown
    assert main(["factors", "list", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["egrid2023-ercot"]["fuels"]["coal"]["direct_mg_per_kwh"] == 1_062_400
    assert main(["factors", "show", "none"]) == 2


def test_the_ledger_is_told_the_factor_and_never_less_than_unknown_for_nothing() -> None:
    nothing = factor_use(IntensityReading(None, None, "none", "no signal configured"))
    assert (nothing.value_mg_per_kwh, nothing.quality, nothing.factor_id) == (700_000, "default", "unknown")
    pushed = factor_use(IntensityReading(312_000, 5, "measured", "mqtt:x", 17))
    assert (pushed.factor_id, pushed.kind, pushed.published_wall_ms) == ("mqtt:x", "average_generation", 17)
    origin = Origin("egrid2023-ercot/direct", "annual", "2023", None, "")
    told = factor_use(IntensityReading(332_900, None, "default", "ercot", None, origin))
    assert (told.factor_id, told.kind, told.version, told.quality) == (origin.factor_id, "annual", "2023", "default")
