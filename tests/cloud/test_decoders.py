"""The decoders for other people's software against the gateway's codec: Python, and JavaScript and Starlark where they are.

`make decoders` runs this with npm and a Starlark interpreter installed; a decoder that cannot run is skipped by name.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.codec import Batch, encode_batch, schema_id, schema_json
from edge.model import SAMPLE_FIELDS, Sample
from tests.cloud.golden_batches import FILE, FOLDER, batches, day, golden_text

SCHEMA = schema_json()
NAMES = [field["name"] for field in json.loads(SCHEMA)["fields"]]
CELL = st.none() | st.integers(-(2**63), 2**63 - 1)
Decode = Callable[[bytes, bytes], Iterator[dict[str, Any]]]


@pytest.fixture(scope="module")
def python() -> Decode:
    spec = importlib.util.spec_from_file_location("decode", FOLDER / "decode.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Decode = module.decode
    return found


def rows_of(batch: Batch) -> list[dict[str, Any]]:
    head = {"epoch": batch.epoch, "historical": batch.historical, "unsynced": batch.unsynced}
    return [
        head | {"seq": batch.seq0 + index, "wall_ms": one.wall_ms, "mono_ms": one.mono_ms}
        | dict(zip(NAMES, one.values, strict=True))
        for index, one in enumerate(batch.samples)
    ]  # fmt: skip


def test_the_golden_messages_are_what_the_codec_makes_now() -> None:
    assert FILE.read_text() == golden_text(), "python -m tests.cloud.golden_batches"


def test_the_decoders_are_short() -> None:
    for name in ("decode.py", "js/decode.mjs"):
        assert len((FOLDER / name).read_text().splitlines()) <= 60, name


@pytest.mark.parametrize("name", list(batches()))
def test_python_reads_every_golden_message(python: Decode, name: str) -> None:
    batch = batches()[name]
    assert list(python(encode_batch(batch), SCHEMA)) == rows_of(batch)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=30), st.integers(1, 2**62), st.booleans())
def test_python_reads_whatever_the_codec_writes(
    python: Decode, cells: list[tuple[int | None, int | None]], seq0: int, historical: bool
) -> None:
    rest = (0,) * (len(SAMPLE_FIELDS) - 2)
    samples = tuple(Sample(index, -index, (*pair, *rest)) for index, pair in enumerate(cells))
    batch = Batch(schema_id(SCHEMA), 9, seq0, samples, historical)
    assert list(python(encode_batch(batch), SCHEMA)) == rows_of(batch)


def test_python_refuses_another_schema_and_another_version(python: Decode) -> None:
    payload = encode_batch(Batch(schema_id(SCHEMA), 1, 1, day(1)))
    with pytest.raises(ValueError, match="another schema"):
        list(python(payload, SCHEMA + b" "))
    other = msgpack.packb([2, *msgpack.unpackb(payload)[1:]])
    with pytest.raises(ValueError, match="version 2"):
        list(python(other, SCHEMA))
    head = msgpack.unpackb(payload)
    with pytest.raises(ValueError, match="flags 8"):
        list(python(msgpack.packb([*head[:4], 8, *head[5:]]), SCHEMA))


def test_python_as_a_command_prints_a_line_a_sample(tmp_path: Any) -> None:
    (tmp_path / "schema.json").write_bytes(SCHEMA)
    payload = encode_batch(Batch(schema_id(SCHEMA), 1, 1, day(3)))
    command = [sys.executable, str(FOLDER / "decode.py"), str(tmp_path / "schema.json")]
    done = subprocess.run(command, input=payload, capture_output=True, timeout=30, check=True)
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [1, 2, 3]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: make decoders")
def test_javascript_reads_every_golden_message() -> None:
    command = [str(shutil.which("node")), "--test"]
    done = subprocess.run(command, cwd=FOLDER / "js", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout and f"# pass {len(batches()) + 3}" in done.stdout


@pytest.fixture(scope="module")
def starlark() -> Any:
    found = pytest.importorskip("starlark_go", reason="starlark-go is not installed: make decoders")
    found.configure_starlark(allow_recursion=False, allow_global_reassign=True)
    made = found.Starlark()
    text = (FOLDER.parent / "telegraf" / "decode.star").read_text()
    assert 'load("json.star", "json")\n' in text
    made.exec(text.replace('load("json.star", "json")\n', "").partition("def apply(metric)")[0])
    return made


def by_starlark(starlark: Any, payload: bytes) -> list[tuple[int, dict[str, Any]]]:
    schemas = {schema_id(SCHEMA): NAMES}
    found: list[tuple[int, dict[str, Any]]] = starlark.eval(f"decode({list(payload)}, {schemas!r})")
    return found


@pytest.mark.parametrize("batch", [*batches().values(), Batch(schema_id(SCHEMA), 5, 1, day(1_000))])
def test_starlark_reads_the_same(starlark: Any, batch: Batch) -> None:
    found = by_starlark(starlark, encode_batch(batch))
    wanted = [{name: value for name, value in row.items() if value is not None} for row in rows_of(batch)]
    assert [fields | {"wall_ms": time_ns // 10**6} for time_ns, fields in found] == wanted


def test_starlark_drops_a_message_of_a_schema_that_it_does_not_know(starlark: Any) -> None:
    assert by_starlark(starlark, encode_batch(Batch("0" * 16, 1, 1, day(1)))) == []


@pytest.mark.parametrize("level", [0, 1, 9])
def test_starlark_inflates_what_zlib_makes_of_anything(starlark: Any, level: int) -> None:
    """Stored, with fixed codes and with codes of its own."""
    for data in (b"", b"a" * 600, bytes(range(256)) * 3, b"".join(b"%d,%d;" % (n % 7, n * n % 91) for n in range(900))):
        assert bytes(starlark.eval(f"inflate({list(zlib.compress(data, level))})")) == data


def test_starlark_reads_base64(starlark: Any) -> None:
    assert starlark.eval('[from_base64(t) for t in ("", "AA==", "//79", "AQID")]') == [
        [], [0], [255, 254, 253], [1, 2, 3],
    ]  # fmt: skip
