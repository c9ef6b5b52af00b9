"""A package whose roots are signed and stamped: what the check says of each, and of a forged one."""

import json
from collections.abc import Iterator

import pytest

from edge.carbon.evidence.verify import verify
from edge.carbon.ledger.entry import canonical
from edge.carbon.ledger.seal import Sealer
from tests.carbon.authority import Authority, have_openssl
from tests.carbon.evidence.kit import WHOLE, MemorySource, package_of, rich
from tests.carbon.test_ledger_seal import key_file, wait

pytest.importorskip("cryptography", reason="the extra `sign` is not installed")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    pytest.importorskip("rfc3161_client", reason="the extra `sign` is not installed")
    if not have_openssl():
        pytest.skip("openssl is not installed: no local time stamp authority")
    folder = tmp_path_factory.mktemp("tsa")
    authority = Authority(folder)
    kept = rich(sealer=Sealer(str(key_file(folder)), authority.url))
    wait(kept)
    yield package_of(kept, WHOLE)
    authority.close()


@pytest.mark.hil
def test_signatures_and_stamps_are_counted_and_their_key_is_named(files: dict[str, bytes]) -> None:
    report = verify(MemorySource(files))
    assert report.finding is None, str(report.finding)
    assert (report.root_count, report.signed_count, len(report.keys)) == (2, 2, 1)
    assert not [text for text in report.missing if "signature" in text]
    assert sum(name.startswith("stamps/") for name in files) == 2
    told = json.loads(files["statement.json"])["chain"]
    assert told["signed_count"] == told["stamped_count"] == 2 and told["keys"] == report.keys


@pytest.mark.hil
@pytest.mark.parametrize(("kind", "key"), [("signature", "signature"), ("signature", "key"), ("time_stamp", "token"),
                                           ("signature", "digest"), ("time_stamp", "digest")])  # fmt: skip
def test_a_seal_of_something_else_is_wrong(files: dict[str, bytes], kind: str, key: str) -> None:
    """The chain made anew over it, so that only the seal itself can be what is found."""
    lines = [json.loads(line) for line in files["entries.jsonl"].splitlines()]
    at = [index for index, line in enumerate(lines) if line["kind"] == kind][-1]
    other = next(line for line in lines if line["kind"] == kind and line is not lines[at])
    lines[at]["body"][key] = other["body"][key] if key != "key" else "ab" * 32
    data = b"".join(canonical(line) + b"\n" for line in lines)
    found = verify(MemorySource({**files, "entries.jsonl": data})).finding
    assert found is not None and (found.file, found.line) == ("entries.jsonl", at + 1)
    assert found.field in ("signature", "token", "digest")
