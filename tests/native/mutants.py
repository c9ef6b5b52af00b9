"""The mutants of a C file: one small change each, of the kinds a person makes by mistake. What does not belong here: running
them (mutate.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",),
    "&": ("|",), "|": ("&",), "^": ("|",), "<<": (">>",), ">>": ("<<",), "~": ("",), "!": ("",),
    "+=": ("-=",), "-=": ("+=",), "|=": ("&=", "="), "&=": ("|=", "="), "^=": ("=",), "++": ("--",), "--": ("++",),
}  # fmt: skip
WORDS = {"true": "false", "false": "true", "tw_least": "tw_most", "tw_most": "tw_least", "break": "", "continue": ""}
TOKEN = re.compile(
    r"->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^<>!~]|\b\d+U?\b(?!\s*')|\b[a-z_]\w*\b|."
)
DECLARATION = re.compile(r"\s*(static |const |struct |typedef |return\b|for\b|if\b|while\b|\}|case\b|else\b|#)|"
                         r"\s*(bool|int|char|unsigned \w+|\w+_t)\b[\s*]+\w+")  # fmt: skip
STATEMENT = re.compile(r"\s+[^;{}]+;\s*$")
ROW = re.compile(r"\s+X\(a, (\w+), (\w+), (\w+), (\d+), (\w+), (\d+), (\d+)\)")
BINARY_ONLY = {"*", "&", "-", "+"}


@dataclass(frozen=True, slots=True)
class Mutant:
    file: str
    line_index: int
    line: str
    becomes: str

    @property
    def key(self) -> str:
        return f"{self.file} | {' '.join(self.line.split())} | {' '.join(self.becomes.split())}"


def without_comments(text: str) -> list[str]:
    """Comments blanked out, columns kept."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S).split("\n")


def is_unary(code: str, at: int) -> bool:
    before = code[:at].rstrip()
    return not before or before[-1] in "(,=<>!&|?:+-*/%[{~^;" or re.search(r"(\breturn|_t\))$", before) is not None


def of_tokens(code: str) -> Iterator[tuple[int, int, str]]:
    """(begin, end, replacement) of every swap of one token."""
    for found in TOKEN.finditer(code):
        token, begin, end = found[0], found.start(), found.end()
        if token in BINARY_ONLY and is_unary(code, begin):
            continue
        if token == "*" and re.search(r"(_t|bool|char|void|const)\s*$", code[:begin]):
            continue
        for other in SWAPS.get(token, ()):
            yield begin, end, other
        if token in WORDS:
            yield begin, end, WORDS[token]
        if re.fullmatch(r"\d+U?", token) and not (begin and code[begin - 1] in "._x"):
            value = int(token.rstrip("U"))
            suffix = "U" if token.endswith("U") else ""
            yield begin, end, f"{value + 1}{suffix}"
            if value > 0:
                yield begin, end, f"{value - 1}{suffix}"


def of_line(code: str) -> Iterator[str]:
    """The line with one change each."""
    stripped = code.strip()
    if not stripped or stripped.startswith(("#", "typedef", "_Static_assert", "X(a, ")):
        return
    prototype = not code[0].isspace()
    if not prototype:
        for begin, end, other in of_tokens(code):
            yield code[:begin] + other + code[end:]
    condition = re.match(r"(\s*(?:\} else )?if )(\(.*\))( \{)$", code)
    if condition:
        yield f"{condition[1]}(!{condition[2]}){condition[3]}"
    if STATEMENT.match(code) and not DECLARATION.match(code) and stripped not in ("break;", "continue;"):
        yield re.sub(r"\S.*", ";", code)


def of_row(code: str) -> Iterator[str]:
    """A row of the table of causes: level, latch, reset and delays."""
    found = ROW.match(code)
    if not found:
        return
    _, level, latch, hourly, reset, on_ms, off_ms = found.groups()
    changes = [
        (2, "INFO" if level != "INFO" else "ZERO"), (3, "NO" if latch != "NO" else "YES"),
        (5, "SERVICE" if reset == "CONSOLE" else "CONSOLE"),
        (6, str(int(on_ms) + 1)), (7, str(int(off_ms) + 1)), (6, str(max(int(on_ms) - 1, 0))),
        (7, str(max(int(off_ms) - 1, 0))), (4, str((int(hourly) + 1) % 3)),
    ]  # fmt: skip
    for group, other in changes:
        if other != found[group]:
            yield code[: found.start(group)] + other + code[found.end(group) :]


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of a file, each once."""
    found: dict[Mutant, None] = {}
    lines = path.read_text().split("\n")
    for index, code in enumerate(without_comments(path.read_text())):
        code = code.rstrip()
        for changed in [*of_line(code), *of_row(code)] if code.strip() else []:
            if " ".join(changed.split()) != " ".join(code.split()):
                tail = " \\" if lines[index].endswith("\\") and not changed.endswith("\\") else ""
                found[Mutant(path.name, index, code, changed + tail)] = None
    return list(found)
