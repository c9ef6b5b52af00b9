"""Grid signals: files play as they should and name their bad lines; pushed messages are taken or refused."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.options import Signal
from edge.errors import ConfigFault, DataFault
from edge.plan.message import PAYLOAD_MAX_BYTES
from edge.plan.signals.base import IntensitySignal, NoSignal
from edge.plan.signals.file import SLICE_ROWS, FileSignal
from edge.plan.signals.pushed import Push, PushedSignal, parse_push
from edge.plan.signals.rows import parse_time_ms, parse_value_mg, read_rows

HOUR_MS = 3_600_000
START_MS = parse_time_ms("2021-07-01T00:00:00Z")
GOOD = "utc,x,ci_direct_g\n2021-07-01T00:00:00Z,1,363.03\n2021-07-01T01:00:00Z,1,\n2021-07-01T02:00:00Z,1,99.85\n"


def write(folder: Path, text: str, name: str = "ci.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def play(path: Path, start: str = "2021-07-01T00:00:00Z", speed: int = 1, wall_ms: int = 0) -> FileSignal:
    return FileSignal(Signal(kind="file", path=str(path), start=start, speed=speed), "site.toml", 1_000, wall_ms)


@pytest.mark.parametrize("name", ["ci.csv", "ci.csv.gz"])
def test_a_row_holds_for_its_hour_at_speed_and_ages_to_stale_after_the_end(tmp_path: Path, name: str) -> None:
    signal: IntensitySignal = play(write(tmp_path, GOOD, name), speed=3600)
    table = [
        (1_000, 363_030, "measured"),
        (1_999, 363_030, "measured"),
        (2_000, None, "none"),  # an empty cell is a known gap
        (3_000, 99_850, "measured"),
        (5_000, 99_850, "measured"),
        (5_001, 99_850, "stale"),
    ]
    for mono_ms, value, quality in table:
        reading = signal.poll(mono_ms, 0)
        assert (reading.value_mg_per_kwh, reading.quality) == (value, quality), mono_ms


def test_without_a_start_the_wall_clock_plays_and_may_leap_both_ways(tmp_path: Path) -> None:
    signal = play(write(tmp_path, GOOD), start="", wall_ms=0)
    for hours, value in ((-1, None), (0, 363_030), (2, 99_850), (0, 363_030), (-5, None), (2, 99_850)):
        assert signal.poll(0, START_MS + hours * HOUR_MS).value_mg_per_kwh == value, hours


def test_a_leap_over_a_long_file_is_read_in_slices(tmp_path: Path) -> None:
    count = 3 * SLICE_ROWS
    lines = [f"1970-01-{1 + i // 1440:02}T{i // 60 % 24:02}:{i % 60:02}:00Z,{i % 500}" for i in range(count)]
    signal = play(write(tmp_path, "utc,ci_direct_g\n" + "\n".join(lines)), start="", wall_ms=0)
    end_ms = (count - 1) * 60_000
    qualities = [signal.poll(0, end_ms).quality for _ in range(4)]
    assert qualities[0] == "none" and qualities[-1] == "measured"


BAD_FILES = [
    ("", ":1: no column 'utc'"),
    ("utc,x\n", ":1: no column 'ci_direct_g'"),
    ("utc,ci_direct_g\n", ":2: no rows"),
    ("utc,ci_direct_g\n2021-07-01T00:00:00Z,12\nyesterday,3\n", ":3: 'yesterday' is no time"),
    ("utc,ci_direct_g\n2021-07-01T00:00:00Z,-1\n", ":2: '-1' is no intensity"),
    ("utc,ci_direct_g\n2021-07-01T00:00:00Z,nan\n", ":2: 'nan' is no intensity"),
    ("utc,ci_direct_g\n2021-07-01T00:00:00Z,363030\n", ":2: '363030' is no intensity"),
    ("utc,ci_direct_g\n2021-07-01T00:00:00Z\n", ":2: 1 cells; the header has 2"),
    ("utc,ci_direct_g\n2021-07-01T00:00:00Z,1\n2021-07-01T00:00:00Z,1\n", ":3: time does not increase"),
    ('utc,ci_direct_g\n2021-07-01T00:00:00Z,"1\n', "not CSV"),
]


@pytest.mark.parametrize(("text", "said"), BAD_FILES)
def test_a_bad_file_is_refused_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataFault) as fault:
        play(write(tmp_path, text))
    assert "ci.csv" in str(fault.value) and said in str(fault.value)


def test_a_bad_path_start_or_speed_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    for file, start, speed in (
        (tmp_path / "none.csv", "2021-07-01T00:00:00Z", 1),
        (path, "noon", 1),
        (path, "2030-01-01T00:00:00Z", 1),
        (path, "", 60),
    ):
        with pytest.raises(ConfigFault, match=r"site\.toml: signal\."):
            play(file, start, speed)


def test_a_truncated_gzip_is_a_data_fault(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD * 50, "ci.csv.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataFault, match=r"ci\.csv\.gz"):
        play(path)


def test_a_file_that_breaks_later_is_no_exception_but_none_and_a_text(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    signal = play(path, start="", wall_ms=START_MS)
    path.write_text("rubbish")
    assert signal.poll(0, START_MS - HOUR_MS).quality == "none"
    assert "ci.csv:1" in signal.fault


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_as_a_file_give_rows_or_a_data_fault(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("rows") / "ci.csv"
    for head in (b"", b"utc,ci_direct_g\n", b"utc,ci_direct_g\n2021-07-01T00:00:00Z,"):
        path.write_bytes(head + data)
        try:
            rows = list(read_rows(path, "ci_direct_g"))
        except DataFault as fault:
            assert "ci.csv" in str(fault)
        else:
            assert all(row.value_mg_per_kwh is None or 0 <= row.value_mg_per_kwh <= 5_000_000 for row in rows)


@given(st.integers(0, 5_000_000))
def test_a_value_in_milligrams_survives_the_text(value: int) -> None:
    assert parse_value_mg(f"{value // 1000}.{value % 1000:03}") == value


def message(**changes: object) -> bytes:
    body = {"intensity_g_per_kwh": 312.5, "valid_from": "2021-07-01T00:00:00Z", "source": "ercot", **changes}
    return json.dumps(body).encode()


def test_a_good_push_is_taken_ages_and_goes_stale() -> None:
    signal = PushedSignal(7_200_000)
    assert signal.poll(0, START_MS).quality == "none"
    assert signal.note(message(), 5_000, START_MS + 60_000) == ""
    reading = signal.poll(6_000, 0)  # the wall clock may say what it likes now
    assert (reading.value_mg_per_kwh, reading.age_ms, reading.quality) == (312_500, 61_000, "measured")
    assert reading.source == "mqtt:ercot"
    assert signal.poll(7_300_000, 0).quality == "stale"


def test_a_push_without_a_time_counts_from_its_arrival_unless_the_broker_had_kept_it() -> None:
    signal = PushedSignal(7_200_000)
    payload = b'{"intensity_g_per_kwh":312,"source":"ercot"}'
    assert signal.note(payload, 5_000, START_MS, retained=True) == "retained without valid_from"
    assert signal.poll(5_000, START_MS).quality == "none"
    assert signal.note(payload, 5_000, START_MS) == ""
    reading = signal.poll(6_000, START_MS)
    assert (reading.value_mg_per_kwh, reading.age_ms, reading.valid_from_wall_ms) == (312_000, 1_000, START_MS)
    assert signal.note(message(), 7_000, START_MS + 60_000, retained=True) == ""  # its own time says how old it is


REFUSED = [
    b"",
    b"\xff",
    b"[]",
    b"[" * PAYLOAD_MAX_BYTES,
    b" " * (PAYLOAD_MAX_BYTES + 1),
    message(extra=1),
    message(intensity_g_per_kwh=True),
    message(intensity_g_per_kwh="312"),
    message(intensity_g_per_kwh=-1),
    message(intensity_g_per_kwh=5001),
    message(intensity_g_per_kwh=float("nan")),
    message().replace(b"312.5", b"1e9999999999999999999999"),
    message().replace(b"312.5", b"1e99999"),
    message(valid_from="2021-07-01"),
    message(valid_from="2021-07-01T00:00:00+02:00"),
    message(valid_from=5),
    message(source=""),
    message(source="a\x1b[2J"),
    message()[:-1] + b',"source":"twice"}',
    message(valid_from="2021-07-01T03:00:00Z"),
]


@pytest.mark.parametrize("payload", REFUSED)
def test_a_bad_push_is_refused_counted_and_changes_nothing(payload: bytes) -> None:
    signal = PushedSignal(7_200_000)
    assert signal.note(message(), 0, START_MS) == ""
    reason = signal.note(payload, 1, START_MS)
    assert reason and signal.refused_counts[reason] == 1 and signal.accepted_count == 1
    assert signal.poll(0, 0).value_mg_per_kwh == 312_500


def test_an_older_message_does_not_replace_a_newer_one() -> None:
    signal = PushedSignal(7_200_000)
    signal.note(message(), 0, START_MS)
    assert signal.note(message(valid_from="2021-06-30T00:00:00Z"), 1, START_MS).startswith("older")


JSONISH = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["intensity_g_per_kwh", "valid_from", "a"]), inner),
    max_leaves=8,
)


@given(st.binary(max_size=200) | JSONISH.map(lambda data: json.dumps(data).encode()))
def test_the_push_parser_never_raises(payload: bytes) -> None:
    assert isinstance(parse_push(payload), Push | str)


@given(JSONISH, JSONISH, JSONISH)
def test_the_push_parser_never_raises_with_the_right_keys(value: object, valid_from: object, source: object) -> None:
    push = parse_push(message(intensity_g_per_kwh=value, valid_from=valid_from, source=source))
    assert isinstance(push, str) or 0 <= push.value_mg_per_kwh <= 5_000_000


def test_no_signal_is_none() -> None:
    assert NoSignal().poll(0, 0).quality == "none"
