"""The faults that stop a program before it starts. Operating faults are values (outcomes, ages, counters), never these.

A Problem says file, key, value, what is allowed and what to do; a ConfigFault carries *all* of them at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one file; `key` is a path such as `device[2].address`, `allowed` a range or words."""

    file: str
    key: str
    value: object
    allowed: str
    hint: str = ""

    def __str__(self) -> str:
        shown = "" if self.value is None else f" = {self.value!r}"
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}: {self.key}{shown}: {self.allowed}{hint}"


class EdgeError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigFault(EdgeError):
    """A site file, a profile or a bus plan cannot be used; lists every problem found, exit code 2."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DataFault(EdgeError):
    """A trace, segment or message that was asked for by name cannot be read; says where and what was expected."""
