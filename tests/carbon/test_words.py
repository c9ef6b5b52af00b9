"""No text that people are handed claims what it may not. One list for statement, report, screens, words and handbook.

A claim is what stands in a string of the program or in a page; that these words are not used is itself said in a comment
or in the limits of a page, where they are denied.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {
    "a CBAM certificate": r"cbam[- ]certificat|certificates? (?:of|for|under) (?:the )?cbam",
    "certified": r"\bcertified\b",
    "compliant": r"\bcompliant\b|\bcompliance\b",
    "verified": r"(?<!never )(?<!be )\bverified (?:by|carbon|emissions|figures|data|statement|energy)\b|\bis verified\b",
    "carbon tariff avoided": r"tariffs? (?:\w+ )?avoided|avoid\w* (?:\w+ )?(?:carbon )?tariffs?",
    "zero-carbon": r"zero[- ]carbon|carbon[- ]neutral|climate[- ]neutral|net[- ]zero|100 ?% green",
    "real-time carbon": r"real[- ]time carbon",
    "tonnes avoided": r"(?:tonnes?|k?g|carbon|emissions?) (?:was |were |have been )?(?:avoided|saved)\b"
    r"|(?:avoided|saved) \d",
}
FOLDERS = ("edge/carbon", "edge/report", "edge/plan", "edge/console", "edge/cloud", "edge/fleet", "hil/demo")
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


def claims(text: str) -> list[str]:
    return [name for name, form in FORBIDDEN.items() if re.search(form, text, re.I)]


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


@pytest.mark.parametrize(
    "text",
    [
        "This CBAM certificate", "CBAM-certified", "fully compliant with CBAM", "your verified emissions", "it is verified",
        "carbon tariff avoided", "zero-carbon compute", "carbon-neutral", "Real-time carbon", "12 tonnes avoided",
        "3 kg saved", "emissions were avoided", "saved 12 t",
    ],
)  # fmt: skip
def test_the_list_finds_each_claim(text: str) -> None:
    assert claims(text)


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
