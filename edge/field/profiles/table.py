"""Reads the keys of one TOML table and notes everything wrong with it; the grammar of profiles is in loader.py."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from edge.errors import Problem

BLANK = "?"  # what a blueprint has where somebody must write a fact
NUMBER_MAX = 10**15  # a scale or an offset beyond this is a slip


@dataclass(slots=True)
class Table:
    """One table being read: every `take_` removes a key; what is left at `close` was unknown."""

    file: str
    path: str
    values: dict[str, Any]
    problems: list[Problem]
    taken: list[str] = field(default_factory=list)

    def note(self, key: str, value: object, allowed: str, hint: str = "") -> None:
        """One thing that is wrong. A blank that nobody has filled in is said to be that, whatever is allowed there."""
        if value == BLANK:
            allowed = "is still to be filled in: " + allowed.removeprefix("must be ")
        try:
            repr(value)
        except ValueError:  # a hexadecimal number of thousands of digits: Python does not print it
            value = "a number too long to show"
        self.problems.append(Problem(self.file, f"{self.path}.{key}" if self.path else key, value, allowed, hint))

    def take(self, key: str, default: object = None) -> Any:
        self.taken.append(key)
        return self.values.get(key, default)

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number low..high; the default (or low) when it is wrong, so that reading can go on."""
        value = self.take(key, default)
        if value is None:
            self.note(key, None, f"is missing: a whole number {low}..{high}")
        elif type(value) is not int or not low <= value <= high:
            self.note(key, value, f"must be a whole number {low}..{high}")
        else:
            return value
        return low if default is None else default

    def word(self, key: str, words: tuple[str, ...] = (), default: str | None = None) -> str:
        """A text, one of `words` when there are any."""
        value = self.take(key, default)
        if value is None:
            self.note(key, None, "is missing: " + (", ".join(words) if words else "a text"))
        elif not isinstance(value, str) or (value == BLANK and not words):
            self.note(key, value, "must be a text")
        elif words and value not in words:
            self.note(key, value, "must be one of " + ", ".join(words))
        else:
            return value
        return default if default is not None else (words[0] if words else "")

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false; the default when absent."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            self.note(key, value, "must be true or false")
            return default
        return value

    def number(self, key: str, default: int | None = None) -> Fraction:
        """A number, exactly as it is written in the file: 0.1 is one tenth."""
        value = self.take(key, default)
        if value is None:
            self.note(key, None, "is missing: a number")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self.note(key, value, "must be a number")
        elif not -NUMBER_MAX <= value <= NUMBER_MAX:  # also an infinity or a NaN
            self.note(key, value, f"must be within +-{NUMBER_MAX}")
        else:
            return Fraction(str(value))
        return Fraction(default if default is not None else 1)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty when absent."""
        value = self.take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.note(key, value, "must be a list of texts")
            return ()
        return tuple(value)

    def tables(self, key: str) -> "list[Table]":
        """A list of tables, `[[key]]`; empty when absent."""
        value = self.take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.note(key, value, f"must be tables, written [[{key}]]")
            return []
        return [Table(self.file, f"{key}[{i}]", item, self.problems) for i, item in enumerate(value)]

    def table(self, key: str) -> "Table | None":
        """A table, `[key]`; None when absent."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.note(key, value, f"must be a table, written [{key}]")
            return None
        return Table(self.file, f"{self.path}.{key}" if self.path else key, value, self.problems)

    def pairs(self, key: str) -> dict[int, tuple[str, str, int]]:
        """`{ 0 = "fault", 5 = { name = "door", flag = "" } }` to number: (flag, name, active); TOML keys are texts.

        `active` is 1, or 0 for a bit that says it while it is 0.
        """
        value = self.take(key, {})
        found: dict[int, tuple[str, str, int]] = {}
        if not isinstance(value, dict):
            self.note(key, value, 'must be a table such as { 0 = "fault" }')
            return found
        for number, word in value.items():
            if number.startswith(BLANK):
                self.note(f"{key}.{number}", BLANK, f"must be the number of the bit or value that says {word!r}")
                continue
            parts = word if isinstance(word, dict) else {"flag": word}
            flag, name, active = parts.get("flag", ""), parts.get("name", ""), parts.get("active", 1)
            good = isinstance(flag, str) and isinstance(name, str) and bool(flag or name)
            good = good and type(active) is int and active in (0, 1) and not {*parts} - {"flag", "name", "active"}
            if not good or not _is_whole(number):
                allowed = 'must be a number and a flag, or { name = "...", flag = "...", active = 0 or 1 }'
                self.note(f"{key}.{number}", word, allowed)
            elif int(number, 0) in found:
                self.note(f"{key}.{number}", word, "the same number is there twice")
            else:
                found[int(number, 0)] = (flag, name, active)
        return found

    def close(self) -> None:
        """Notes every key that nobody asked for."""
        for key in self.values:
            if key not in self.taken:
                self.note(key, self.values[key], "unknown key; allowed: " + ", ".join(sorted(self.taken)))


def _is_whole(text: str) -> bool:
    try:
        return 0 <= int(text, 0) < 1 << 32
    except ValueError:
        return False
