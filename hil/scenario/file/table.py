"""One TOML table being read: takes keys one by one, notes what is wrong with each, and in the end what nobody knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from edge.errors import Problem


class Table:
    """Reads never fail: what is wrong is noted in `problems` and a harmless value stands in."""

    def __init__(self, values: Mapping[str, Any], file: str, place: str, problems: list[Problem]) -> None:
        self._values, self._file, self._place, self._problems = dict(values), file, place, problems
        self._taken: set[str] = set()

    def note(self, key: str, value: object, allowed: str, hint: str = "") -> None:
        """Something is wrong with this key."""
        self._problems.append(Problem(self._file, f"{self._place}{key}", value, allowed, hint))

    def names(self) -> list[str]:
        return list(self._values)

    def take(self, key: str) -> Any:
        self._taken.add(key)
        return self._values.get(key)

    def rest(self) -> dict[str, Any]:
        """All of it, for somebody who checks it himself."""
        self._taken |= set(self._values)
        return self._values

    def number(self, key: str, default: float | None, low: float, high: float) -> float:
        """A number in its range; without a default it must be there."""
        return float(self._number(key, default, low, high, (int, float), "a number"))

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        return int(self._number(key, default, low, high, (int,), "a whole number"))

    def _number(
        self, key: str, default: float | None, low: float, high: float, types: tuple[type, ...], word: str
    ) -> float:
        value = self.take(key)
        if value is None and default is None:
            self.note(key, None, f"is missing: {word}, {low:g}..{high:g}")
        elif value is not None:
            good = isinstance(value, types) and not isinstance(value, bool)
            if good and low <= float(value) <= high:
                return float(value)
            self.note(key, value, f"must be {word}, {low:g}..{high:g}")
        return low if default is None else default

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        value = self.take(key)
        if value is None and not required:
            return default
        if not isinstance(value, str) or not value:
            self.note(key, value, "is missing: a text" if value is None else "must be a text")
            return default
        return value

    def word(self, key: str, words: Sequence[str], default: str = "") -> str:
        """One of these words; without a default it must be there."""
        value = self.take(key)
        if value is None and default:
            return default
        if value not in words or not isinstance(value, str):
            self.note(key, value, ("is missing: " if value is None else "must be ") + "one of " + ", ".join(words))
            return default
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            self.note(key, value, "must be true or false")
        return value if isinstance(value, bool) else default

    def table(self, key: str) -> "Table":
        value = self.take(key)
        if value is not None and not isinstance(value, dict):
            self.note(key, value, f"must be a table written as [{key}]")
        return Table(value if isinstance(value, dict) else {}, self._file, f"{self._place}{key}.", self._problems)

    def tables(self, key: str) -> list["Table"]:
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.note(key, value, f"must be tables written as [[{key}]]")
            return []
        return [Table(entry, self._file, f"{self._place}{key}[{i}].", self._problems) for i, entry in enumerate(value)]

    def end(self, known: Sequence[str]) -> None:
        """Every key that nobody took is unknown."""
        for key in self._values:
            if key not in self._taken:
                self.note(key, self._values[key], "is not known here", "there are: " + ", ".join(known))
