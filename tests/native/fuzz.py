"""libFuzzer on the kernel: any bits in configuration, state, input, wish and gate, under the sanitizers; fuzz.c asserts
what must be true. `make fuzz SECONDS=60`. It begins with pieces of the vectors, and goes on from what it found before,
which is kept below build/.

A finding is one file; its path is printed, and the binary called with it shows it again.
"""

import argparse
import os
import re
import secrets
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.native import corpus, tools

WORK = tools.BUILD / "fuzz"
SANITIZERS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
KERNEL = (*SANITIZERS, "-fsanitize=fuzzer,address,undefined,implicit-conversion")
PIECE_BYTES = 12_000  # a configuration and some ten cycles
PIECES = 400
RATE_MIN = 30  # runs a second; a quiet machine does 1500, a crowded one 300


def build(native: Path = tools.NATIVE, work: Path = WORK) -> Path:
    """The fuzzer. wish.c is compiled apart, with tw_wish under another name: fuzz.c stands at the door."""
    work.mkdir(parents=True, exist_ok=True)
    wish = work / "wish.o"
    renamed = (*KERNEL, "-c", "-Dtw_wish=tw_wish_of_the_kernel")
    corpus.compile_c(wish, "clang-19", renamed, [native / "wish.c"], native)
    others = [path for path in corpus.kernel_files(native, whole=True) if path.name != "wish.c"]
    target = work / "fuzz"
    corpus.compile_c(target, "clang-19", KERNEL, [corpus.HERE / "fuzz.c", *others, wish], native)
    return target


def pieces(data: bytes) -> Iterator[bytes]:
    """Each configuration with the records that follow it, as many as fit."""
    begin = at = 0
    full = False
    while at < len(data):
        kind, size = struct.unpack_from("=II", data, at)
        if kind == 1 and at > begin:  # RECORD_CONFIG
            if not full:
                yield data[begin:at]
            begin, full = at, False
        if not full and at + 8 + size - begin > PIECE_BYTES:
            yield data[begin:at]
            full = True
        at += 8 + size
    if not full:
        yield data[begin:]


def write_seeds(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    found = [piece for program in (corpus.WISH, corpus.GUARD) for piece in pieces(corpus.vectors(program).read_bytes())]
    for index, piece in enumerate(found[:PIECES]):
        (folder / f"{index:04}").write_bytes(piece)
    return min(len(found), PIECES)


def fuzz(binary: Path, seconds_s: int, seed: int) -> tuple[int, str]:
    """Exit code and the whole output."""
    work = binary.parent
    found, seeds = work / "corpus", work / "seeds"
    found.mkdir(exist_ok=True)
    write_seeds(seeds)
    command = [
        str(binary), f"-max_total_time={seconds_s}", f"-seed={seed}", f"-max_len={2 * PIECE_BYTES}", "-timeout=10",
        "-print_final_stats=1", f"-artifact_prefix={work}/finding-", str(found), str(seeds),
    ]  # fmt: skip
    quiet = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # there is no allocation to leak
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=quiet)
    return done.returncode, done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31) + 1, help="default: another each time")
    given = parser.parse_args()
    try:
        tools.need("clang-19")
        binary = build()
    except (tools.Missing, RuntimeError) as fault:
        return tools.absent(fault)
    print(f"fuzzing for {given.seconds} s, seed {given.seed}", flush=True)
    code, text = fuzz(binary, given.seconds, given.seed)
    if code != 0:
        print(text[-6000:])
        return 1
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", text))
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)[-1]
    runs, rate = int(stats["number_of_executed_units"]), int(stats["average_exec_per_sec"])
    print(f"{runs} runs, {rate} a second, {covered[0]} edges, {covered[2]} inputs kept: nothing found")
    if rate < RATE_MIN:
        print(f"fewer than {RATE_MIN} runs a second: that is no fuzzing")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
