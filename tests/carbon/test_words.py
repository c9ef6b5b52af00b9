"""No text that people are handed claims what it may not. One list for statement, report, screens, words and handbook.

A claim is what stands in a string of the program, in a page of the handbook, or in a file of an evidence package, which
is held to more: there no word of verification but that it is designed for it, and nothing called free or green.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.carbon.evidence.kit import WHOLE, package_of, rich

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {
    "a CBAM certificate": r"cbam[- ]certificat|certificates? (?:of|for|under) (?:the )?cbam",
    "certified": r"\bcertified\b",
    "compliant": r"\bcompliant\b|\bcompliance\b",
    "verified": r"(?<!never )(?<!be )\bverified (?:by|carbon|emissions|figures|data|statement|energy)\b|\bis verified\b",
    "carbon tariff": r"carbon tariff|tariffs? (?:\w+ )?avoided|avoid\w* (?:\w+ )?tariffs?",
    "zero-carbon": r"zero[- ]carbon|carbon[- ]neutral|climate[- ]neutral|net[- ]zero|emission[- ]free"
    r"|100 ?% green|\bgreen (?:power|energy)\b",
    "real-time carbon": r"real[- ]time carbon",
    "tonnes avoided": r"(?:tonnes?|k?g|carbon|emissions?) (?:was |were |have been )?(?:avoided|saved)\b"
    r"|(?:avoided|saved) \d",
}
IN_A_PACKAGE = {
    "verified": r"(?<!designed to be )\bverified\b",
    "carbon-free": r"carbon[- ]free",
    "certified": r"CBAM[- ]certif",
}
REQUIRED = (
    "CBAM-ready electricity and indirect-emission evidence", "Designed to be verified", "no obligation under CBAM",
    "accredited verifier", "marginal", "never added", "Neither is called measured",
)  # fmt: skip
FOLDERS = (
    "edge/carbon", "edge/report", "edge/mission", "edge/config", "edge/plan", "edge/console", "edge/cloud", "edge/fleet",
    "hil/demo",
)  # fmt: skip
PAGES = sorted((ROOT / "deploy").rglob("*.md"))


def strings_of(path: Path) -> list[tuple[int, str]]:
    """Every string that is no docstring, with its line; adjacent literals and f-strings joined."""
    tree = ast.parse(path.read_text())
    said = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            said.add(id(node.body[0].value))  # type: ignore[attr-defined]  # a docstring is an Expr
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else " 0 " for part in node.values)
            found.append((node.lineno, text))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said | inside:
            found.append((node.lineno, node.value))
    return found


def claims(text: str, more: dict[str, str] | None = None) -> list[str]:
    forms = [*FORBIDDEN.items(), *(more or {}).items()]
    return [name for name, form in forms if re.search(form, text, re.I)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_string_claims_what_it_may_not(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}: {text.strip()[:80]}"
        for path in files
        for line, text in strings_of(path)
        for name in claims(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_of_the_handbook_claims_it(path: Path) -> None:
    found = [
        f"{number}: {name}" for number, line in enumerate(path.read_text().splitlines(), 1) for name in claims(line)
    ]
    assert not found


def test_no_file_of_a_package_claims_it_and_the_statement_says_what_it_must() -> None:
    files = {name: re.sub(r"\s+", " ", data.decode()) for name, data in package_of(rich(), WHOLE).items()}
    found = [f"{name}: {claim}" for name, text in files.items() for claim in claims(text, IN_A_PACKAGE)]
    assert not found
    assert [text for text in REQUIRED if text not in files["statement.html"]] == []


@pytest.mark.parametrize(
    "text",
    [
        "This CBAM certificate", "CBAM-certified", "fully compliant with CBAM", "your verified emissions", "it is verified",
        "carbon tariff avoided", "no carbon tariff", "emission-free", "green power", "zero-carbon compute",
        "carbon-neutral", "Real-time carbon", "12 tonnes avoided",
        "3 kg saved", "emissions were avoided", "saved 12 t",
    ],
)  # fmt: skip
def test_the_list_finds_each_claim(text: str) -> None:
    assert claims(f"It says: {text}.")


@pytest.mark.parametrize("text", ["was verified by us", "carbon-free compute", "It is verified"])
def test_a_package_is_held_to_more(text: str) -> None:
    assert claims(text, IN_A_PACKAGE) and not claims("It is designed to be verified.", IN_A_PACKAGE)


@pytest.mark.parametrize(
    "text",
    [
        "CBAM-ready electricity and indirect-emission evidence", "Designed to be verified.", "interim PUE 1.3",
        "this is no estimate of what was saved or caused elsewhere", "profiles never tried; verified = false",
        "calibration certificate", "the carbon of the import was lowered by 3 kg",
    ],
)  # fmt: skip
def test_what_may_be_said_passes(text: str) -> None:
    assert not claims(text)
