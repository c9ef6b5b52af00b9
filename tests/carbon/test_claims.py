"""What ledger and evidence may say of themselves: every text is searched for words that are not ours to say."""

import re
from pathlib import Path

import pytest

from tests.carbon.evidence.kit import WHOLE, package_of, rich

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(
    [
        *(ROOT / "edge" / "carbon" / "ledger").glob("*.py"), *(ROOT / "edge" / "carbon" / "evidence").glob("*.py"),
        *(ROOT / "edge" / "carbon" / "desk").glob("*.py"), ROOT / "edge" / "config" / "evidence.py",
        ROOT / "deploy" / "handbook" / "ledger.md",
    ]
)  # fmt: skip
FORBIDDEN = (
    r"CBAM[- ]certif", r"\bcertified\b", r"\bcompliant\b", r"\bcompliance\b", r"carbon tariff",
    r"(?<!designed to be )\bverified\b", r"zero[- ]carbon", r"carbon[- ](free|neutral)", r"real[- ]time carbon",
    r"emission[- ]free", r"net[- ]zero", r"climate[- ]neutral", r"\bgreen (power|energy)",
    r"(avoided|saved) (tonnes|emissions|carbon|CO)", r"(tonnes|emissions|carbon|CO.?) (avoided|saved)",
)  # fmt: skip
REQUIRED = (
    "CBAM-ready electricity and indirect-emission evidence", "Designed to be verified", "no obligation under CBAM",
    "accredited verifier", "marginal", "never added", "Neither is called measured",
)  # fmt: skip


def faults(text: str) -> list[str]:
    flat = re.sub(r'["\n]\s*[f]?["]?', " ", text)  # a sentence over two lines of code is one sentence
    flat = re.sub(r"\s+", " ", flat)
    return [match.group() for word in FORBIDDEN for match in re.finditer(word, flat, re.I)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_says_what_is_not_ours_to_say(path: Path) -> None:
    assert not faults(path.read_text())


def test_no_file_of_a_package_does_and_the_statement_says_what_it_must() -> None:
    files = package_of(rich(), WHOLE)
    for name, data in files.items():
        assert not faults(data.decode()), name
    page = re.sub(r"\s+", " ", files["statement.html"].decode())
    assert [text for text in REQUIRED if text not in page] == []


@pytest.mark.parametrize(
    "text",
    [
        "CBAM certified",
        "is compliant",
        "was verified by us",
        "zero-carbon compute",
        "12 tonnes avoided",
        "real-time carbon",
    ],
)
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert faults(f"This {text}.")
    assert not faults("It is designed to be verified by an accredited verifier.")
