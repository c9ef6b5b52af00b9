"""The modes of a unit, from the kernel's own table: `python -m tests.kernel.diagram` prints what modes.md shows."""

from collections import defaultdict

from edge.control.kernel import Event, Mode, lib

ALWAYS = (Event.ESTOP, Event.SERVICE, Event.LOCAL, Event.TRIP)  # lead out of everything; said once, not drawn 40 times


def table() -> list[str]:
    """The table as Markdown; `.` stays."""
    lines = ["| mode | " + " | ".join(event.name for event in Event) + " |", "|---" * (len(Event) + 1) + "|"]
    for mode in Mode:
        nexts = [Mode(lib.tw_next_mode(mode, event)) for event in Event]
        lines.append(f"| {mode.name} | " + " | ".join("." if to == mode else to.name for to in nexts) + " |")
    return lines


def diagram() -> list[str]:
    """A Mermaid state diagram of all other events; those that lead to the same mode share an arrow."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> BOOT"]
    for mode in Mode:
        arrows: dict[Mode, list[str]] = defaultdict(list)
        for event in Event:
            to = Mode(lib.tw_next_mode(mode, event))
            if to != mode and event not in ALWAYS:
                arrows[to].append(event.name)
        lines += [f"    {mode.name} --> {to.name}: {', '.join(names)}" for to, names in arrows.items()]
    return [*lines, "```"]


if __name__ == "__main__":
    print("\n".join([*table(), "", *diagram()]))
