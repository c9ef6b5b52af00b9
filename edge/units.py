"""Units: from what a register says to the canonical integer of a role, and from there to text for people.

Exact fractions at load time, integers afterwards; no float reaches a value that is stored or decided on.
"""

from fractions import Fraction

# unit as written in a profile -> (canonical unit, factor)
CANONICAL: dict[str, tuple[str, Fraction]] = {
    "W": ("W", Fraction(1)),
    "kW": ("W", Fraction(1000)),
    "Wh": ("Wh", Fraction(1)),
    "kWh": ("Wh", Fraction(1000)),
    "V": ("dV", Fraction(10)),
    "mV": ("mV", Fraction(1)),
    "A": ("dA", Fraction(10)),
    "mA": ("dA", Fraction(1, 100)),
    "%": ("cpct", Fraction(100)),
    "C": ("dC", Fraction(10)),
    "Hz": ("mHz", Fraction(1000)),
    "kOhm": ("kOhm", Fraction(1)),
    "var": ("var", Fraction(1)),
    "kvar": ("var", Fraction(1000)),
    "count": ("count", Fraction(1)),
}

_PREFIXES = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def show(value: int, unit: str) -> str:
    """A canonical integer as people read it: `show(-12_340, "W")` is `-12.3 kW`, `show(5512, "cpct")` is `55.1 %`."""
    match unit:
        case "W" | "Wh" | "var":
            for factor, prefix in _PREFIXES:
                if abs(value) >= factor:
                    return f"{value / factor:.1f} {prefix}{unit}"
            return f"{value} {unit}"
        case "dV":
            return f"{value / 10:.1f} V"
        case "dA":
            return f"{value / 10:.1f} A"
        case "dC":
            return f"{value / 10:.1f} °C"
        case "cpct":
            return f"{value / 100:.1f} %"
        case "mHz":
            return f"{value / 1000:.2f} Hz"
        case _:
            return f"{value} {unit}"
