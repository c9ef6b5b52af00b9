"""Where the kernel's proof and test tools come from: what is already here, else apt, else (CBMC) the next Debian release
unpacked into a folder of our own. Nothing outside that folder is changed by the latter, and no host is named here: the
archive is the one that the machine's own package list names.

`python -m tests.native.tools` installs everything and prints what is where.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"
BUILD = ROOT / "build" / "native"
PROVER = ROOT / "build" / "prover"  # CBMC and the libraries of its own release
RELEASE = "trixie"  # the first Debian release whose CBMC is 6.x
PROVER_PACKAGES = ["cbmc", "minisat", "kissat", "z3", "libz3-4", "libc6", "libstdc++6", "libgcc-s1", "zlib1g"]

# command -> the Debian package that brings it
PACKAGES = {
    "gcc": "gcc",
    "clang-19": "clang-19",
    "llvm-cov-19": "llvm-19",
    "llvm-profdata-19": "llvm-19",
    "cppcheck": "cppcheck",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-arm-static": "qemu-user-static",
}
LIBRARIES = {"clang-19": "libclang-rt-19-dev"}  # what the command needs for sanitizers, fuzzing and coverage


NO_ARCHIVE = (
    "no Debian archive in /etc/apt: set DEBIAN_ARCHIVE to the address of one (and install debian-archive-keyring), "
    "or put cbmc 6, z3 and kissat on the PATH"
)


class Missing(Exception):
    """A tool is not here and could not be installed; the text says what to install by hand."""


def absent(fault: Exception) -> int:
    """What a word ends with when it cannot go on: 1; but 0 for a missing tool where TOOLS=optional says that this may be."""
    optional = isinstance(fault, Missing) and os.environ.get("TOOLS") == "optional"
    print(f"SKIPPED, nothing was shown: {fault}" if optional else fault)
    return 0 if optional else 1


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, capture_output=True, check=False, **options)


@cache
def refresh() -> bool:
    """Package lists, once a process; True if apt may install here."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    return run(["apt-get", "-o", "DPkg::Lock::Timeout=300", "update", "-qq"]).returncode == 0


def need(*commands: str) -> None:
    """Makes sure that each command exists. Raises Missing with the package's name otherwise."""
    absent = [command for command in commands if shutil.which(command) is None]
    packages = sorted({word for c in absent for word in f"{PACKAGES.get(c, c)} {LIBRARIES.get(c, '')}".split()})
    if not absent:
        return
    if refresh():
        print(f"installing {' '.join(packages)}", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        options = ["-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600"]
        run(["apt-get", "install", *options, *packages], env=quiet)
    if still := [command for command in absent if shutil.which(command) is None]:
        raise Missing(f"{', '.join(still)} not found; on Debian as root: apt-get install {' '.join(packages)}")


def next_release_source() -> str:
    """The machine's own main archive, with the suite replaced: deb822 text; or that of the variable DEBIAN_ARCHIVE. Raises
    Missing if there is none."""
    if archive := os.environ.get("DEBIAN_ARCHIVE"):
        keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")  # of the package debian-archive-keyring
        signed = f"Signed-By: {keyring}\n" if keyring.exists() else ""
        return f"Types: deb\nURIs: {archive}\nSuites: {RELEASE}\nComponents: main\n{signed}"
    here = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE))
    if here.get("ID") != "debian":
        raise Missing(NO_ARCHIVE)
    suite = here.get("VERSION_CODENAME", "")
    for path in sorted(Path("/etc/apt").glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^([\w-]+):\s*(.*)$", stanza, re.MULTILINE))
            if suite in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
                signed = f"Signed-By: {fields['Signed-By']}\n" if fields.get("Signed-By") else ""
                return f"Types: deb\nURIs: {fields['URIs']}\nSuites: {RELEASE}\nComponents: main\n{signed}"
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt").glob("sources.list.d/*.list"))]:
        for line in path.read_text().splitlines() if path.exists() else []:
            found = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
            if found and found[3] == suite and "main" in found[4].split():
                signed_by = re.search(r"signed-by=(\S+)", found[1] or "")
                signed = f"Signed-By: {signed_by[1]}\n" if signed_by else ""
                return f"Types: deb\nURIs: {found[2]}\nSuites: {RELEASE}\nComponents: main\n{signed}"
    raise Missing(NO_ARCHIVE)


def unpack_prover() -> None:
    """CBMC of the next release with its own libc, unpacked below PROVER; the machine's packages stay as they are."""
    apt = PROVER / "apt"
    for folder in ("lists/partial", "archives/partial", "debs"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "only.sources").write_text(next_release_source())
    (apt / "status").write_text("")
    options = [
        f"Dir::Etc::sourcelist={apt}/only.sources", "Dir::Etc::sourceparts=-", f"Dir::State::lists={apt}/lists",
        f"Dir::State::status={apt}/status", f"Dir::Cache={apt}", f"Dir::Cache::archives={apt}/archives",
        "Acquire::Languages=none", "APT::Sandbox::User=root",
    ]  # fmt: skip
    flags = [word for option in options for word in ("-o", option)]
    for command in (["update", "-qq"], ["download", "-qq", *PROVER_PACKAGES]):
        done = run(["apt-get", *flags, *command], cwd=apt / "debs")
        if done.returncode != 0:
            raise Missing(f"cannot fetch CBMC from {RELEASE}: {done.stderr.strip()[-400:]}")
    for deb in sorted((apt / "debs").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(PROVER / "root")], check=True)
    shutil.rmtree(apt)


@cache
def prover(tool: str = "cbmc") -> tuple[str, ...]:
    """The command that runs a tool of CBMC 6 (`cbmc`, `goto-cc`, `goto-instrument`). Raises Missing."""
    if shutil.which(tool) and (tool in ("z3", "kissat") or run([tool, "--version"]).stdout.startswith("6.")):
        return (tool,)
    root = PROVER / "root"
    if not (root / "usr/bin" / tool).exists():
        print(f"unpacking CBMC of {RELEASE} into {PROVER.relative_to(ROOT)}", flush=True)
        unpack_prover()
    loader = next(root.rglob("ld-linux*.so.*"))
    libraries = ":".join(sorted({str(path.parent) for path in root.glob("usr/lib/**/lib*.so.*")}))
    return (str(loader), "--library-path", libraries, str(root / "usr/bin" / tool))


@cache
def solver_folder() -> Path:
    """A folder with the commands `z3` and `kissat`, which CBMC calls by their names."""
    folder = PROVER / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("z3", "kissat"):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {" ".join(prover(name))} "$@"\n')
        script.chmod(0o755)
    return folder


def main() -> int:
    """Everything at once, for a machine that is to prove and test the kernel."""
    try:
        need(*PACKAGES)
        print(" ".join(prover()), run([*prover(), "--version"]).stdout.strip())
    except Missing as fault:
        print(fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
