"""What `make prove` reads fits the kernel as it is: else a proof would be left out, or a break would break nothing."""

import re

import pytest

from tests.native import tools
from tests.native.cbmc import MACHINES, SOLVERS, Proof
from tests.native.prove import Break, load

PROOFS, BREAKS = load()
HARNESSES = tools.NATIVE / "proof"
HANDBOOK = tools.ROOT / "deploy" / "handbook" / "proof.md"


@pytest.mark.parametrize("proof", PROOFS.values(), ids=lambda proof: proof.name)
def test_a_proof_names_what_is_there(proof: Proof) -> None:
    text = (HARNESSES / proof.harness).read_text()
    assert set(proof.machines) <= set(MACHINES) and proof.solver in SOLVERS
    if not proof.harness.endswith(".smt2"):
        assert f"void {proof.entry}(void)" in text
    shared = [(HARNESSES / name).read_text() for name in re.findall(r'#include "(\w+\.h)"', text)]
    for new in proof.replace.values():
        assert any(re.search(rf"\b{new}\(", part) for part in (text, *shared)), new


def test_every_harness_function_is_a_proof_and_its_end_is_looked_for() -> None:
    there = {
        (path.name, entry): path.read_text()
        for path in HARNESSES.glob("*.c")
        for entry in re.findall(r"^void (prove_\w+)\(void\)", path.read_text(), re.MULTILINE)
    }
    assert set(there) == {(p.harness, p.entry) for p in PROOFS.values() if not p.harness.endswith(".smt2")}
    for (name, entry), text in there.items():
        body = text[text.index(f"void {entry}(void)") :].split("\n}", 1)[0]
        assert body.rstrip().endswith("END;"), f"{name}: {entry} does not end with END"


@pytest.mark.parametrize("each", BREAKS, ids=lambda each: each.name)
def test_a_break_finds_its_text_once(each: Break) -> None:
    assert (tools.NATIVE / each.file).read_text().count(each.old) == 1
    assert each.new != each.old and each.proof in PROOFS


def test_the_handbook_names_proofs_that_are_there() -> None:
    table = HANDBOOK.read_text().split("## The properties")[1].split("Besides")[0]
    named = {name.strip() for row in re.findall(r"\| ([^|]+) \|$", table, re.MULTILINE) for name in row.split(",")}
    assert named - {"proofs", "---"} <= set(PROOFS)


def test_a_missing_tool_ends_a_word_unless_it_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOOLS", raising=False)
    assert tools.absent(tools.Missing("clang-19 not found")) == 1
    monkeypatch.setenv("TOOLS", "optional")
    assert tools.absent(tools.Missing("clang-19 not found")) == 0
    assert tools.absent(RuntimeError("the harness does not compile")) == 1, "only what is missing may be"
