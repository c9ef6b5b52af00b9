"""Proves the kernel with CBMC: every proof of native/proof/proofs.toml on three machines, then breaks the kernel on purpose
(native/proof/breaks.toml) and sees each break refuted. `make prove`; `--short` proves on one machine only.

A proof is one harness function over any input. `replace` puts a harness function in the place of a kernel function that
has a proof of its own: by its name in the preprocessed text, since the file-local ones cannot be replaced by linking.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.native import tools

WORK = tools.BUILD / "prove"
SECONDS_MAX = 90
# machine -> (compiler whose headers and type sizes are used, CBMC's name of it)
MACHINES = {
    "x86-64": ("gcc", "x86_64"),
    "aarch64": ("aarch64-linux-gnu-gcc", "arm64"),
    "armhf": ("arm-linux-gnueabihf-gcc", "arm"),
}
CHECKS = [
    "--bounds-check", "--pointer-check", "--signed-overflow-check", "--conversion-check", "--div-by-zero-check",
    "--undefined-shift-check", "--pointer-overflow-check", "--unwinding-assertions",
]  # fmt: skip
NO_CHECKS = [
    "--no-standard-checks", "--unwinding-assertions",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proof:
    name: str
    says: str
    given: str
    harness: str
    entry: str
    files: list[str] = field(default_factory=list)
    unwind: int = 9
    replace: dict[str, str] = field(default_factory=dict)
    defines: list[str] = field(default_factory=list)
    checks: bool = (
        True  # false: only what the harness says; the arithmetic of the same code is checked by another proof
    )
    machines: list[str] = field(default_factory=lambda: list(MACHINES))
    options: list[str] = field(default_factory=list)
    solver: str = ""  # "z3": for arithmetic that a SAT solver finds hard


@dataclass(frozen=True, slots=True)
class Break:
    name: str
    file: str
    old: str
    new: str
    proof: str


@dataclass(frozen=True, slots=True)
class Result:
    checks_count: int
    failed: list[str]
    values: str
    took_s: float
    fault: str = ""


def is_definition(text: str, open_at: int) -> bool:
    """Whether the parenthesis at `open_at` is followed, once closed, by a body."""
    depth, at = 0, open_at
    while at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return re.match(r"\s*(#[^\n]*\n\s*)*\{", text[at:]) is not None
    return False


def replace_calls(text: str, replace: dict[str, str]) -> str:
    """Every use of a name but its definition."""
    for old, new in replace.items():
        places = list(re.finditer(rf"\b{re.escape(old)}\b(?=\s*\()", text))
        if not places:
            raise SystemExit(f"nothing to replace: {old}")
        for found in reversed(places):
            if not is_definition(text, text.index("(", found.end())):
                text = text[: found.start()] + new + text[found.end() :]
    return text


WRAPS = re.compile(r"\((?:uint32_t|uint64_t)\)")


def allow_wraps(text: str) -> str:
    """A cast written out to an unsigned type is meant to wrap; every other conversion must keep its value."""
    lines: list[str] = []
    statement: list[str] = []
    for line in text.split("\n"):
        statement.append(line)
        if line.startswith("#") or line.rstrip().endswith((";", "{", "}", ":", "*/")) or not line.strip():
            if line.startswith("#") and any(part.strip() and not part.startswith("#") for part in statement):
                continue  # in the midst of a statement
            if any(WRAPS.search(part) for part in statement):
                statement = [
                    "#pragma CPROVER check push", '#pragma CPROVER check disable "conversion"', *statement,
                    "#pragma CPROVER check pop",
                ]  # fmt: skip
            lines += statement
            statement = []
    return "\n".join(lines + statement)


def preprocess(proof: Proof, machine: str, native: Path, folder: Path) -> list[str]:
    compiler = MACHINES[machine][0]
    names = []
    for source in [native / "proof" / proof.harness, *(native / name for name in proof.files)]:
        defines = [f"-D{word}" for word in proof.defines]
        done = tools.run([compiler, "-E", "-std=c11", *defines, f"-I{native}", str(source)])
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        target = folder / f"{source.stem}-{len(names)}.i"
        text = replace_calls(done.stdout, proof.replace) if not names else done.stdout
        target.write_text(allow_wraps(text))
        names.append(str(target))
    return names


def values_of(trace: list[dict[str, Any]]) -> str:
    """The last value of every `..._is` of the harness (see SHOW in proof.h), in order of appearance."""
    shown: dict[str, str] = {}
    for step in trace:
        lhs = step.get("lhs", "")
        if step.get("stepType") == "assignment" and lhs.endswith("_is") and step.get("value", {}).get("data"):
            shown[lhs.removesuffix("_is")] = re.sub(r"[uUlL]+$", "", step["value"]["data"])
    return " ".join(f"{name}={value}" for name, value in shown.items())


def read_answer(text: str, took_s: float) -> Result:
    checks_count, failed, values = 0, [], ""
    try:
        messages = json.loads(text)
    except json.JSONDecodeError:
        return Result(0, [], "", took_s, f"no answer: {text[-300:]}")
    for message in messages:
        for answer in message.get("result", []):
            checks_count += 1
            if answer["status"] != "SUCCESS":
                failed.append(f"{answer['description']} ({answer['property']})")
                values = values or values_of(answer.get("trace", []))
    errors = [m["messageText"] for m in messages if m.get("messageType") == "ERROR"]
    return Result(checks_count, failed, values, took_s, "" if checks_count else "; ".join(errors) or "no result")


def prove(proof: Proof, machine: str, native: Path = tools.NATIVE, label: str = "", trace: bool = False) -> Result:
    """One proof on one machine, in about `took_s` of one core."""
    folder = WORK / (re.sub(r"\W+", "-", label or proof.name) + f"-{machine}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = preprocess(proof, machine, native, folder)
    command = [
        *tools.prover(), *files, "--function", proof.entry, "--arch", MACHINES[machine][1], "--os", "linux",
        "--unwind", str(proof.unwind), *(CHECKS if proof.checks else NO_CHECKS), "--json-ui", "--drop-unused-functions",
        "--verbosity", "4", *proof.options, *(["--z3"] if proof.solver == "z3" else []), *(["--trace", "--stop-on-fail"] if trace else []),
    ]  # fmt: skip
    begin_s = time.monotonic()
    try:
        path = {**os.environ, "PATH": f"{tools.solver_folder()}:{os.environ['PATH']}"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False, env=path)
    except subprocess.TimeoutExpired:
        return Result(0, [], "", SECONDS_MAX, "took too long")
    return read_answer(done.stdout, time.monotonic() - begin_s)


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
    proofs = [Proof(**row) for row in tomllib.loads((native / "proof" / "proofs.toml").read_text())["proof"]]
    breaks = [Break(**row) for row in tomllib.loads((native / "proof" / "breaks.toml").read_text())["break"]]
    return {proof.name: proof for proof in proofs}, breaks


def print_proof(proof: Proof, machine: str, result: Result) -> bool:
    holds = not result.failed and not result.fault
    verdict = "holds" if holds else result.fault or f"FAILS: {'; '.join(result.failed[:4])}"
    print(f"{proof.name:<22} {machine:<8} {result.checks_count:>6} {result.took_s:>7.1f}  {verdict}", flush=True)
    return holds


def print_break(each: Break, result: Result) -> bool:
    refuted = bool(result.failed)
    what = f"refuted: {result.failed[0]} {result.values}" if refuted else f"NOT SEEN {result.fault}"
    print(f"{each.name:<40} {result.took_s:>6.1f}  {what}", flush=True)
    return refuted


def prove_all(proofs: list[Proof], machines: list[str], native: Path, jobs_count: int) -> bool:
    print("What holds, and for which inputs:\n")
    for proof in proofs:
        print(f"{proof.name:<22} {proof.says}\n{'':<22} given: {proof.given}")
    print(f"\n{'proof':<22} {'machine':<8} {'checks':>6} {'seconds':>7}  result")
    pairs = [(proof, machine) for machine in machines for proof in proofs if machine in proof.machines]
    with ThreadPoolExecutor(jobs_count) as pool:
        return all(list(pool.map(lambda pair: print_proof(*pair, prove(*pair, native)), pairs)))


def break_all(breaks: list[Break], proofs: dict[str, Proof], native: Path, jobs_count: int) -> bool:
    def attempt(each: Break) -> bool:
        label = "break-" + re.sub(r"\W+", "-", each.name)
        return print_break(each, prove(proofs[each.proof], "x86-64", broken_native(each, native), label, trace=True))

    print(f"\n{'the kernel broken on purpose':<40} {'seconds':>6}  result")
    with ThreadPoolExecutor(jobs_count) as pool:
        return all(list(pool.map(attempt, breaks)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one machine only")
    parser.add_argument("--only", default="", help="proofs and breaks whose name matches this pattern")
    parser.add_argument("--native", type=Path, default=tools.NATIVE, help="another copy of the kernel and its proofs")
    parser.add_argument("--no-breaks", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    machines = ["x86-64"] if given.short else list(MACHINES)
    try:
        tools.need(*(MACHINES[machine][0] for machine in machines))
        tools.prover()
    except tools.Missing as fault:
        print(fault)
        return 1
    proofs, breaks = load(given.native)
    begin_s = time.monotonic()
    chosen = [proof for proof in proofs.values() if re.search(given.only, proof.name)]
    holds = prove_all(chosen, machines, given.native, given.jobs) if chosen else True
    breaks = [] if given.no_breaks else breaks
    picked = [each for each in breaks if re.search(given.only, each.name) or re.search(given.only, each.proof)]
    refuted = break_all(picked, proofs, given.native, given.jobs) if picked else True
    print(f"\n{len(chosen)} proofs, {len(picked)} breaks, {time.monotonic() - begin_s:.0f} s")
    return 0 if holds and refuted else 1


if __name__ == "__main__":
    sys.exit(main())
