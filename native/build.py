"""Builds edge/_kernel from kernel_abi.h (read verbatim as the cdef) and the C files beside it.

Used by setuptools (`BuildKernel`, named in pyproject.toml) and by hand: `python native/build.py` builds in place. What
does not belong here: any declaration of the kernel; those are in kernel_abi.h and nowhere else.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from cffi import FFI
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
ABI = HERE / "kernel_abi.h"
C_FILES = sorted(path.name for path in HERE.glob("*.c"))
WRAPPER = "native/build/_kernel.c"
# -O3 takes a tenth off a step; without loop distribution no loop becomes a call of memset.
FLAGS = ["-O3", "-fno-tree-loop-distribute-patterns", "-std=c11", "-Wall", "-Wextra", "-fvisibility=hidden"]


def abi_hash() -> str:
    """SHA-256 of the ABI text; compiled in, and compared with the file at import."""
    return hashlib.sha256(ABI.read_bytes()).hexdigest()


def wrapper_builder() -> FFI:
    """The cffi builder: cdef is the header itself plus the hash constant."""
    builder = FFI()
    builder.cdef(ABI.read_text() + "\nchar *tw_abi_hash(void);\n")
    source = '#include "kernel.h"\n' + f'static char *tw_abi_hash(void) {{ return (char *)"{abi_hash()}"; }}\n'
    builder.set_source("edge._kernel", source, py_limited_api=True)
    return builder


class BuildKernel(build_ext):
    """Writes the wrapper, then compiles it together with the kernel."""

    def build_extension(self, ext: Any) -> None:
        wrapper = HERE / "build" / "_kernel.c"
        wrapper.parent.mkdir(exist_ok=True)
        wrapper_builder().emit_c_code(str(wrapper))
        ext.sources = [WRAPPER, *(f"native/{name}" for name in C_FILES)]
        ext.include_dirs = ["native"]
        ext.extra_compile_args = FLAGS
        ext.define_macros = [("Py_LIMITED_API", "0x030b0000")]
        ext.depends = [*(f"native/{path.name}" for path in sorted(HERE.glob("*.h"))), "native/build.py"]
        super().build_extension(ext)

    def get_source_files(self) -> list[str]:
        """For the sdist: everything a build needs, and not the wrapper, which each build writes anew."""
        return [f"native/{path.name}" for path in sorted(HERE.glob("*")) if path.suffix in {".c", ".h", ".py"}]


def main() -> None:
    """Builds edge/_kernel.abi3.so in place, in about a second, with any setuptools: pyproject.toml is not read."""
    os.chdir(HERE.parent)
    extension = Extension("edge._kernel", [WRAPPER], py_limited_api=True)
    dist = Distribution({"name": "tidewatt-edge", "ext_modules": [extension], "cmdclass": {"build_ext": BuildKernel}})
    dist.script_name = "native/build.py"
    dist.script_args = ["build_ext", "--inplace"]
    dist.parse_command_line()
    dist.run_commands()


if __name__ == "__main__":
    main()
