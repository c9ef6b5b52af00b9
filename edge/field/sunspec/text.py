"""The tables of a profile as TOML text: in the order of the other profiles, with what the person must know on top."""

import json
from typing import Any

ORDER = ("profile", "link", "identify", "constant", "block", "point", "write", "command", "watchdog", "heartbeat")


def toml_text(tables: dict[str, Any], notes: list[str]) -> str:
    """What `parse_profile` reads back to the same tables. Notes become comment lines."""
    known = tables.get("profile", {}).get("notes", [])
    lines = [f"# {note}" for note in notes if note not in known]
    lines += [f"{key} = {_value(value)}" for key, value in tables.items() if not isinstance(value, dict | list)]
    for key in ORDER:
        entry = tables.get(key)
        if isinstance(entry, dict):
            lines += ["", f"[{key}]", *_pairs(entry)]
        for table in entry if isinstance(entry, list) else ():
            lines += ["", f"[[{key}]]", *_pairs(table)]
    return "\n".join(lines) + "\n"


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
        case _:
            return repr(value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)
