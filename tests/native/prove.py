"""Proves the kernel with CBMC: every proof of native/proof/proofs.toml on three machines, then breaks the kernel on purpose
(native/proof/breaks.toml) and sees each break refuted. `make prove`; `--short` proves on one machine what is quick.

A proof is one harness function over any input. `replace` puts a harness function in the place of a kernel function that
has a proof of its own: by its name in the preprocessed text, since the file-local ones cannot be replaced by linking.
What is proved and what is not: deploy/handbook/proof.md.
"""

import argparse
import os
import re
import shutil
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.native import tools
from tests.native.cbmc import MACHINES, WORK, Proof, Result, prove, refute


@dataclass(frozen=True, slots=True)
class Break:
    """A row of native/proof/breaks.toml."""

    name: str
    file: str
    old: str
    new: str
    proof: str


def broken_native(each: Break, native: Path) -> Path:
    """A copy of the kernel with one piece of text replaced, which must occur exactly once."""
    folder = WORK / "broken" / re.sub(r"\W+", "-", each.name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(native, folder, ignore=shutil.ignore_patterns("build", "__pycache__"))
    path = folder / each.file
    text = path.read_text()
    if text.count(each.old) != 1:
        raise SystemExit(f"break '{each.name}': its text occurs {text.count(each.old)} times in {each.file}, not once")
    path.write_text(text.replace(each.old, each.new))
    return folder


def load(native: Path = tools.NATIVE) -> tuple[dict[str, Proof], list[Break]]:
    """Proofs by name, and breaks."""
    proofs = [Proof(**row) for row in tomllib.loads((native / "proof" / "proofs.toml").read_text())["proof"]]
    breaks = [Break(**row) for row in tomllib.loads((native / "proof" / "breaks.toml").read_text())["break"]]
    return {proof.name: proof for proof in proofs}, breaks


def each_count(proof: Proof, short: bool) -> list[Proof]:
    """The proof for each number of units that its row names."""
    counts = proof.counts[:1] if short else proof.counts
    each = [(f"{proof.name}, {n} unit{'s'[: n - 1]}", f"UNIT_COUNT={n}") for n in counts]
    return [replace(proof, name=name, defines=[*proof.defines, define]) for name, define in each] or [proof]


def print_proof(proof: Proof, machine: str, result: Result) -> bool:
    holds = not result.failed and not result.fault
    verdict = "holds" if holds else result.fault or f"FAILS: {'; '.join(result.failed[:4])}"
    print(f"{proof.name:<22} {machine:<8} {result.checks_count:>6} {result.took_s:>7.1f}  {verdict}", flush=True)
    return holds


def print_break(each: Break, result: Result) -> bool:
    refuted = bool(result.failed)
    what = f"refuted: {result.failed[0]}\n{'':<12}{result.values}" if refuted else f"NOT SEEN {result.fault}"
    print(f"{each.name:<55} {result.took_s:>7.1f}  {what.rstrip()}", flush=True)
    return refuted


def print_claims(proofs: list[Proof]) -> None:
    print("What holds, and for which inputs:\n")
    for proof in proofs:
        print(f"{proof.name:<22} {proof.says}\n{'':<22} given: {proof.given}")


def prove_all(proofs: list[Proof], machines: list[str], native: Path, short: bool, jobs_count: int) -> bool:
    print(f"\n{'proof':<22} {'machine':<8} {'checks':>6} {'seconds':>7}  result")
    pairs = [(p, m) for m in machines for proof in proofs if m in proof.machines for p in each_count(proof, short)]

    def attempt(pair: tuple[Proof, str]) -> bool:
        proof, machine = pair
        return print_proof(proof, machine, prove(proof, machine, native))

    with ThreadPoolExecutor(jobs_count) as pool:
        return all(list(pool.map(attempt, pairs)))


def break_all(breaks: list[Break], proofs: dict[str, Proof], native: Path, jobs_count: int) -> bool:
    def attempt(each: Break) -> bool:
        proof = each_count(proofs[each.proof], short=True)[0]
        return print_break(each, refute(proof, broken_native(each, native), f"break-{each.name}"))

    print(f"\n{'the kernel broken on purpose':<55} {'seconds':>7}  result")
    with ThreadPoolExecutor(jobs_count) as pool:
        return all(list(pool.map(attempt, breaks)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="what is quick, on x86-64 only")
    parser.add_argument("--only", default="", help="proofs and breaks whose name matches this pattern")
    parser.add_argument("--machine", choices=list(MACHINES), help="on this machine only")
    parser.add_argument("--native", type=Path, default=tools.NATIVE, help="another copy of the kernel and its proofs")
    parser.add_argument("--no-breaks", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    try:
        tools.need("gcc")
        tools.prover()
    except tools.Missing as fault:
        return tools.absent(fault)
    machines = [given.machine] if given.machine else ["x86-64"] if given.short else list(MACHINES)
    proofs, breaks = load(given.native)
    begin_s = time.monotonic()
    chosen = [p for p in proofs.values() if re.search(given.only, p.name) and not (given.short and p.slow)]
    print_claims(chosen)
    holds = prove_all(chosen, machines, given.native, given.short, given.jobs) if chosen else True
    picked = [each for each in breaks if re.search(given.only, each.name) or re.search(given.only, each.proof)]
    picked = [] if given.no_breaks else picked
    refuted = break_all(picked, proofs, given.native, given.jobs) if picked else True
    took_s = time.monotonic() - begin_s
    print(f"\n{len(chosen)} proofs on {' '.join(machines)}; {len(picked)} breaks; {took_s:.0f} s")
    return 0 if holds and refuted else 1


if __name__ == "__main__":
    sys.exit(main())
