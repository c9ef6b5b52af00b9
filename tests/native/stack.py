"""How much stack the kernel needs at most, by gcc's own figures: the frame of each function, summed along the deepest chain
of calls, as the gateway's build has it and with -O0. `make stack` prints the chain; it fails beyond the bound, on a frame
whose size is not known before it runs, on recursion, on a call through a pointer and on a call of anything unknown.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from native.build import FLAGS as RELEASE
from tests.native import corpus, tools

DOORS = ("tw_init", "tw_step", "tw_tx_allowed")
BOUND_BYTES = 8 * 1024  # a thread of musl has 128 KiB, a small RTOS task 16: half of that
COMPILERS = {"x86-64": "gcc", "aarch64": "aarch64-linux-gnu-gcc", "armhf": "arm-linux-gnueabihf-gcc"}
BUILDS = {"release": tuple(RELEASE), "-O0": ("-O0", "-std=c11")}
# What the compiler calls by itself: leaf routines of libc and libgcc that save a few registers. Bytes, rounded up.
COMPILERS_OWN = {"memset": 128, "memcpy": 128} | dict.fromkeys(
    ("__aeabi_idiv", "__aeabi_idivmod", "__aeabi_uidiv", "__aeabi_uidivmod", "__aeabi_ldivmod", "__aeabi_uldivmod"), 256
)
KNOWN = ("static", "dynamic,bounded")  # bounded: arguments are pushed for a call, and the figure holds them

NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


@dataclass(slots=True)
class Graph:
    """Frames and calls of one build; a function of one file is named `file:function`."""

    frame_bytes: dict[str, int] = field(default_factory=dict)
    calls: dict[str, set[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def read(self, text: str) -> None:
        for name, label in NODE.findall(text):
            found = re.search(r"(\d+) bytes \(([\w,]+)\)", label)
            if found is None:
                continue
            self.frame_bytes[name] = int(found[1])
            if found[2] not in KNOWN:
                self.faults.append(f"{name}: its frame is {found[2]}")
        for source, target in EDGE.findall(text):
            self.calls.setdefault(source, set()).add(target)

    def deepest(self, name: str, above: tuple[str, ...] = ()) -> tuple[int, tuple[str, ...]]:
        """Bytes, and the chain of calls that needs them."""
        if name in above:
            self.faults.append(f"recursion: {' > '.join((*above, name))}")
            return 0, ()
        own_bytes = self.frame_bytes.get(name, COMPILERS_OWN.get(name))
        if own_bytes is None:
            self.faults.append(f"{above[-1]} calls {name}, of which nothing is known")
            return 0, ()
        below = [self.deepest(target, (*above, name)) for target in sorted(self.calls.get(name, ()))]
        most, chain = max(below, default=(0, ()))
        return own_bytes + most, (name, *chain)


def graph_of(compiler: str, flags: tuple[str, ...], native: Path, work: Path) -> Graph:
    graph = Graph()
    work.mkdir(parents=True, exist_ok=True)
    for source in corpus.kernel_files(native, whole=True):
        target = work / f"{source.stem}.o"
        command = [compiler, *flags, f"-I{native}", "-fcallgraph-info=su", "-c", str(source), "-o", str(target)]
        subprocess.run(command, check=True)
        graph.read(target.with_suffix(".ci").read_text())
    return graph


def short(name: str) -> str:
    return name.rsplit(":", 1)[-1]


def judge(machine: str, build: str, native: Path = tools.NATIVE) -> list[str]:
    """Prints a line for each of the kernel's doors; returns what is wrong."""
    work = tools.BUILD / "stack" / f"{machine}-{build.strip('-')}"
    graph = graph_of(COMPILERS[machine], BUILDS[build], native, work)
    wrong = []
    for door in DOORS:
        most_bytes, chain = graph.deepest(door)
        print(f"{machine:<8} {build:<8} {door:<14}{most_bytes:>6} bytes  {' > '.join(map(short, chain[1:]))}")
        if most_bytes > BOUND_BYTES:
            wrong.append(
                f"{machine} {build}: {door} needs {most_bytes} bytes of stack, at most {BOUND_BYTES} are allowed"
            )
    return wrong + [f"{machine} {build}: {fault}" for fault in dict.fromkeys(graph.faults)]


def main() -> int:
    try:
        tools.need(*COMPILERS.values())
    except tools.Missing as fault:
        return tools.absent(fault)
    wrong = [line for machine in COMPILERS for build in BUILDS for line in judge(machine, build)]
    for line in wrong:
        print(line)
    print(f"bound {BOUND_BYTES} bytes: {'not held' if wrong else 'held, no recursion, no frame of unknown size'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
