"""Trace readers: recorded files are read, broken ones are named with their line."""

import gzip
from pathlib import Path

import pytest

from edge.errors import DataFault
from hil.plant.series import Series
from hil.traces import read_intensity, read_irradiance_w_per_m2, read_load_kw
from tests.hil.test_site import DATA, needs_data


@needs_data
def test_the_recorded_files_are_read() -> None:
    load = read_load_kw(DATA / "load/64xH100_llama2lora_ac_0.csv.gz")
    assert load[1] == (2.0, 211.921)
    sun = read_irradiance_w_per_m2(DATA / "pv/hope_melpitz_1s.csv.gz")
    assert (len(sun), sun[1]) == (3_601, (1.0, 325.0))
    grid = read_intensity(DATA / "carbon/ERCO_2020_2021_hourly_fuelmix_ci.csv.gz", "ci_direct_g")
    assert grid[1] == (1_577_836_800_000 + 3_600_000, 362.72)
    price = read_intensity(DATA / "price/ERCOT_2021_price_ci_hourly.csv.gz", "ci_lca")
    assert price[0] == (1_609_459_200_000, 406.75)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t_s,other\n0,1\n", ":1: no column 'total_kw'; there are: t_s, other"),
        ("", ":1: no column 't_s'; there are: none"),
        ("t_s,total_kw\n0,1\n2,much\n", ":3: total_kw = 'much', expected a number"),
        ("t_s,total_kw\n0,nan\n", ":2: total_kw = 'nan', expected a number"),
        ("t_s,total_kw\n0\n", ":2: 1 columns, expected at least 2"),
        ("t_s,total_kw\n0,1\n", ": 1 rows, expected at least 2"),
        ("t_s,total_kw\n0,1\n2,1\n2,1\n", ":4: time 2.0 after 2.0, expected it to increase"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataFault) as fault:
        read_load_kw(path)
    assert str(fault.value) == f"{path}{says}"


def test_a_missing_a_cut_and_a_false_gzip_file_are_data_faults(tmp_path: Path) -> None:
    cut, false = tmp_path / "cut.csv.gz", tmp_path / "false.csv.gz"
    cut.write_bytes(gzip.compress(b"t_s,total_kw\n" + b"0,1\n" * 1000)[:-20])
    false.write_bytes(b"t_s,total_kw\n0,1\n")
    for path in (tmp_path / "none.csv", cut, false):
        with pytest.raises(DataFault, match="cannot be read"):
            read_load_kw(path)


def test_a_series_needs_rising_times() -> None:
    with pytest.raises(DataFault, match=r"row 3 of a trace: t_s = 1\.0 does not increase"):
        Series([(0.0, 1.0), (1.0, 2.0), (1.0, 3.0)])
    with pytest.raises(DataFault, match="at least 2 rows"):
        Series([(0.0, 1.0)])


def test_a_series_is_linear_and_begins_again() -> None:
    series = Series([(10.0, 0.0), (20.0, 100.0), (30.0, 0.0)])
    assert [series.at(t_s) for t_s in (0.0, 5.0, 15.0, 25.0, 2.5)] == [0.0, 50.0, 50.0, 50.0, 25.0]
