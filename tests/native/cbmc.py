"""One run of CBMC: the texts of harness and kernel made ready, the command, what it answered.

A machine is a set of type sizes: the few standard headers that the kernel uses are in native/proof/include, so no
compiler of that machine is needed, only the host's preprocessor.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.native import tools

WORK = tools.BUILD / "prove"
SECONDS_MAX = 240  # of CPU time, for one proof on one machine: twice what the slowest takes (`delay: compare`)
WAIT_MAX_S = 900  # of anything: a machine that others use too
# machine -> (CBMC's name of it, what include/stdint.h must know)
MACHINES = {"x86-64": ("x86_64", []), "aarch64": ("arm64", []), "armhf": ("arm", ["-DTW_ILP32"])}
CHECKS = [
    "--bounds-check", "--pointer-check", "--signed-overflow-check", "--conversion-check", "--div-by-zero-check",
    "--undefined-shift-check", "--pointer-overflow-check",
]  # fmt: skip
NO_CHECKS = ["--no-standard-checks"]
SOLVERS = {
    "": [],  # CBMC's own
    "kissat": ["--external-sat-solver", "kissat"],  # a newer one, for sums of many
    "z3": ["--z3"],  # knows arithmetic: for products and quotients
}
REACHED = "reached"  # the end of a harness: this assertion must fail, or what is given contradicts itself


@dataclass(frozen=True, slots=True)
class Proof:
    """A row of native/proof/proofs.toml."""

    name: str
    says: str
    given: str
    harness: str
    entry: str
    files: list[str] = field(default_factory=list)
    unwind: int = 9
    replace: dict[str, str] = field(default_factory=dict)
    defines: list[str] = field(default_factory=list)
    checks: bool = True  # false: only what the harness says; the same code's arithmetic is checked by another proof
    machines: list[str] = field(default_factory=lambda: list(MACHINES))
    solver: str = ""
    counts: list[int] = field(default_factory=list)  # of units: a run each, with UNIT_COUNT defined; short: the first
    slow: bool = False  # not in the short form


@dataclass(frozen=True, slots=True)
class Result:
    """What is left of a run. `failed` empty and `fault` empty: it holds."""

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


def preprocess(proof: Proof, machine: str, native: Path, folder: Path, defines: list[str]) -> list[str]:
    """The texts that CBMC reads, in `folder`; calls are replaced in the harness and what it includes."""
    words = [f"-D{word}" for word in [*proof.defines, *defines]] + MACHINES[machine][1]
    names: list[str] = []
    for source in [native / "proof" / proof.harness, *(native / name for name in proof.files)]:
        include = ["-nostdinc", f"-I{native}", f"-I{native / 'proof' / 'include'}"]
        done = tools.run(["gcc", "-E", "-std=c11", *words, *include, str(source)])
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


def read_answer(text: str, took_s: float, reached: bool) -> Result:
    """CBMC's JSON: a list of all results, or the one failure at which it stopped. What cannot be read is a fault."""
    try:
        messages = json.loads(text)
    except json.JSONDecodeError:
        return Result(0, [], "", took_s, f"no answer: {text[-300:]}")
    answers = [answer for message in messages for answer in message.get("result", [])]
    stopped = [message for message in messages if message.get("status") == "failed"]
    claims = [answer for answer in answers if answer["description"] != REACHED]
    bad = [answer for answer in claims if answer["status"] == "FAILURE"] + stopped
    failed = [f"{answer['description']} ({answer['property']})" for answer in bad]
    errors = [m["messageText"] for m in messages if m.get("messageType") == "ERROR"]
    ends = [answer["status"] for answer in answers if answer["description"] == REACHED]
    fault = ""
    if not failed and any(answer["status"] not in ("SUCCESS", "FAILURE") for answer in answers):
        fault = "the solver gave up"
    elif not answers and not stopped:
        fault = "; ".join(errors) or "no result"
    elif reached and "FAILURE" not in ends:
        fault = "its end cannot be reached"
    values = values_of(bad[0].get("trace", [])) if bad else ""
    return Result(len(claims), failed, values, took_s, fault)


def execute(command: list[str], out: Path) -> tuple[float, bool]:
    """Runs it with its answer going to `out`; seconds of CPU, and whether it came to an end by itself."""
    path = f"{tools.solver_folder()}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(out.parent)}
    with out.open("wb") as answer:
        process = subprocess.Popen(command, stdout=answer, stderr=subprocess.STDOUT, env=environment)
        with suppress(ProcessLookupError):  # it may be through already; a solver that it calls has the same limit
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX + 5))
        timer = threading.Timer(WAIT_MAX_S, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
    took_s = usage.ru_utime + usage.ru_stime
    return took_s, process.returncode >= 0 and took_s < SECONDS_MAX


def command_of(proof: Proof, machine: str, files: list[str], checks: list[str], options: list[str]) -> list[str]:
    return [
        *tools.prover(), *files, "--function", proof.entry, "--arch", MACHINES[machine][0], "--os", "linux",
        "--unwind", str(proof.unwind), *checks, "--json-ui", "--drop-unused-functions", "--verbosity", "4", *options,
    ]  # fmt: skip


def run_one(
    proof: Proof, machine: str, native: Path, label: str, defines: list[str], checks: list[str], options: list[str]
) -> Result:
    folder = WORK / (re.sub(r"\W+", "-", label) + f"-{machine}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = preprocess(proof, machine, native, folder, defines)
    took_s, ended = execute(command_of(proof, machine, files, checks, options), folder / "answer.json")
    if not ended:
        return Result(0, [], "", took_s, "took too long")
    return read_answer((folder / "answer.json").read_text(), took_s, reached="TW_NO_END" not in defines)


def prove_lemma(path: Path) -> Result:
    """Arithmetic over the integers, of any size: z3 looks for a counterexample and finds none."""
    WORK.mkdir(parents=True, exist_ok=True)
    out = WORK / f"{path.stem}.txt"
    took_s, _ = execute([*tools.prover("z3"), str(path)], out)
    answer = out.read_text().strip()
    failed = ["there is a counterexample"] if answer == "sat" else []
    return Result(1, failed, "", took_s, "" if answer in ("sat", "unsat") else answer)


def prove(proof: Proof, machine: str, native: Path = tools.NATIVE) -> Result:
    """One proof on one machine, with one core. A solver that is called by file looks for the harness's end apart."""
    checks = ["--unwinding-assertions", *(CHECKS if proof.checks else NO_CHECKS)]
    if proof.harness.endswith(".smt2"):
        return prove_lemma(native / "proof" / proof.harness)
    if proof.solver == "":
        return run_one(proof, machine, native, proof.name, [], checks, [])
    result = run_one(proof, machine, native, proof.name, ["TW_NO_END"], checks, SOLVERS[proof.solver])
    if result.failed or result.fault:
        return result
    end = run_one(proof, machine, native, f"{proof.name}-end", ["TW_ONLY_END"], ["--no-standard-checks"], [])
    return replace(result, took_s=result.took_s + end.took_s, fault=end.fault)


def refute(proof: Proof, native: Path, label: str) -> Result:
    """Stops at the first failure and says which values lead there. CBMC's own solver: failures are easier than proofs."""
    checks = ["--unwinding-assertions", *(CHECKS if proof.checks else NO_CHECKS), "--trace", "--stop-on-fail"]
    return run_one(proof, "x86-64", native, label, ["TW_NO_END"], checks, [])
