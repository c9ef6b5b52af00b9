"""A device that describes itself: its SunSpec map walked, and the draft of a profile that comes of it."""

from dataclasses import dataclass

from edge.commission.line import ReadLine
from edge.errors import ConfigFault
from edge.field.line.rtu import Answer, Expect, read_request
from edge.field.profiles.loader import parse_profile
from edge.field.sunspec.draft import draft
from edge.field.sunspec.points import found_points
from edge.field.sunspec.text import toml_text
from edge.field.sunspec.walk import SunSpecFault, identify, walk


@dataclass(frozen=True, slots=True)
class Described:
    """What the map says. `fault`: why it cannot be walked, or what a usable profile lacks; then there may be no text."""

    text: str  # maker, model, version, serial number
    models: tuple[int, ...] = ()
    kind: str = ""
    profile: str = ""  # id of the draft
    toml: str = ""
    fault: str = ""


async def describe(line: ReadLine, unit: int, turnaround_s: float) -> Described | None:
    """None: no map. Only reads."""

    async def read(start: int, count: int) -> Answer:
        return (await line.ask(Expect(read_request(unit, 3, start, count)), turnaround_s)).answer

    try:
        if await identify(read) is None:
            return None
    except SunSpecFault:  # silent there: whatever it is, it is not this
        return None
    try:
        chain = await walk(read)
    except SunSpecFault as broken:
        return Described("a SunSpec map", fault=str(broken))
    common = found_points(chain).get(1, {})
    texts = [str(common[name].value or "") for name in ("Mn", "Md", "Vr", "SN") if name in common]
    one = draft(chain, baud=line.settings.baud)
    profile_id, lack = str(one.tables["profile"]["id"]), ""
    try:
        parse_profile(one.tables, f"{profile_id}.toml")
    except ConfigFault as lacks:
        lack = "; ".join(f"{problem.key} {problem.allowed}" for problem in lacks.problems)
    numbers = tuple(model.number for model in chain.models)
    return Described(
        " ".join(filter(None, texts)), numbers, one.kind, profile_id, toml_text(one.tables, one.notes), lack
    )
