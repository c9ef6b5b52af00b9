"""The blueprint of a new profile: every table that its kind needs, a mark where somebody must write a fact.

What is marked does not load, so that no default passes for a fact; `edge profile check` names each that is left.
"""

from collections.abc import Iterator

from edge.field.profiles.table import BLANK
from edge.roles import COMMANDS, FLAGS_MANDATORY, ROLES, WRITES, WRITES_MANDATORY

MARK = f'"{BLANK}"'
UNIT_OF = {
    "W": "W",
    "Wh": "kWh",
    "dV": "V",
    "dA": "A",
    "mV": "mV",
    "cpct": "%",
    "dC": "C",
    "var": "var",
    "count": "count",
}


def blueprint(kind: str, profile_id: str) -> str:
    """The text of a profile file of this kind."""
    return "\n".join([*_head(kind, profile_id), *_blocks(kind), *_points(kind), *_writes(kind), *_rest(kind)]) + "\n"


def _head(kind: str, profile_id: str) -> Iterator[str]:
    yield f"# Facts about one {kind} model. Replace every {MARK}, its quotes too where a number belongs; then:"
    yield f"#   edge profile check {profile_id}.toml"
    yield "# Take addresses, scales and types from a document or a driver that you can name. Never guess one."
    yield "schema = 1"
    yield ""
    yield "[profile]"
    yield f'id = "{profile_id}"'
    yield f"vendor = {MARK}"
    yield f"model = {MARK}"
    yield f'kind = "{kind}"'
    yield 'version = "1"'
    yield f"source = {MARK}  # a text: document and version, or driver and commit"
    yield "verified = false  # true when somebody has tried it on the device"
    yield 'addressing = "wire0"  # doc1: the document counts from 1, and the loader subtracts it'
    yield "notes = []  # what the source leaves open, one text each"
    yield ""
    yield "[link]"
    yield f"baud = {MARK}  # 1200..115200; the site's port decides in the end"
    yield 'parity = "N"  # N, E or O'
    yield "stopbits = 1"
    yield "timeout_ms = 300  # longer than it ever takes to answer"
    yield "min_gap_ms = 20  # silence before the next request on its line"
    yield "turnaround_ms = 15  # how long it usually takes to answer"
    yield "max_regs = 60  # of one read"
    yield "# gaps_allowed = false  # it refuses reads over registers that its list does not name"
    yield "# averaging_ms = 0  # its values are means over this long, 0: of one moment; only where the source says so"
    yield ""
    yield "# Proof that it is this model; leave it out when no register says so."
    yield "# [identify]"
    yield "# addr = 0"
    yield "# fc = 3"
    yield "# count = 8"
    yield '# match = "^MODEL"  # a regular expression'
    yield '# example = "MODEL 1"  # what a right one says; the simulated device says it'


def _blocks(kind: str) -> Iterator[str]:
    yield ""
    yield "# Registers read in one request. What is read together is as old as each other."
    yield "[[block]]"
    yield 'name = "main"'
    yield f"fc = {MARK}  # 3 holding, 4 input registers" + ("; 1 coils, 2 inputs" if kind == "io" else "")
    yield f"start = {MARK}"
    yield f"count = {MARK}"
    yield f"period_ms = {1000 if kind == 'pv' else 200 if kind == 'io' else 500}"
    yield f"priority = {2 if kind in ('bms', 'pcs', 'io') else 3}  # 2 safety, 3 control, 4 telemetry, 5 slow"


def _points(kind: str) -> Iterator[str]:
    for role in ROLES.values():
        if role.kind == kind and role.mandatory:
            yield ""
            yield "[[point]]"
            yield f'name = "{role.name.partition(".")[2]}"'
            yield f'role = "{role.name}"'
            yield 'block = "main"'
            yield f"addr = {MARK}"
            yield f"type = {MARK}  # a text: u16 s16 u32 s32 u64 s64 f32"
            yield '# word_order = "little"  # the low word first'
            yield f"scale = {MARK}  # {UNIT_OF[role.unit]} of one count"
            yield f'unit = "{UNIT_OF[role.unit]}"'
            yield "# sign = -1  # it counts the other way: " + _sign_of(role.name)
            yield "# sentinel = [0xFFFF]  # raw values that mean: not available"
    optional = [role.name for role in ROLES.values() if role.kind == kind and not role.mandatory]
    if optional:
        yield ""
        yield "# Welcome too, as [[point]] like those above: " + ", ".join(optional)
    yield from _flags(kind)


def _flags(kind: str) -> Iterator[str]:
    flags = FLAGS_MANDATORY[kind] or (("estop",) if kind == "io" else ())
    if not flags:
        return
    yield ""
    yield '# A status word: number of the bit = flag. For a word that is one number: type = "value" and [point.values].'
    yield "[[point]]"
    yield 'name = "status"'
    yield 'block = "main"'
    yield f"addr = {MARK}"
    yield 'type = "bits"'
    yield "[point.bits]"
    for flag in flags:
        yield f'"{BLANK}{flag}" = "{flag}"  # the number of its bit in place of {BLANK}{flag}'


def _sign_of(role: str) -> str:
    return "+ is discharge here" if role in ("pcs.power", "bms.pack_current") else "+ is import or production here"


def _writes(kind: str) -> Iterator[str]:
    for name in WRITES_MANDATORY[kind]:
        yield ""
        yield "[[write]]"
        yield f'name = "{name}"'
        yield f"addr = {MARK}"
        yield f"fc = {MARK}  # 6 one register, 16 more"
        yield f"type = {MARK}  # a text: u16 s16 u32 s32 f32"
        yield f"scale = {MARK}  # {UNIT_OF[WRITES[kind][name]]} of one count"
        yield f'unit = "{UNIT_OF[WRITES[kind][name]]}"'
        yield f"min = {MARK}  # {UNIT_OF[WRITES[kind][name]]}; charging is negative"
        yield f"max = {MARK}"
        yield "safe = 0"
        yield "min_interval_ms = 500"
        yield "max_interval_ms = 2000  # written again at the latest after this"
        yield "# flash = true  # the register wears out: then once a minute at most"
        yield "# verify = { addr = 0, fc = 3, delay_ms = 100, tol = 0 }  # where it can be read back"


def _rest(kind: str) -> Iterator[str]:
    if COMMANDS[kind]:
        yield ""
        yield "# Register sequences by name: " + ", ".join(COMMANDS[kind])
        yield "# [[command]]"
        yield f'# name = "{COMMANDS[kind][0]}"'
        yield "# writes = [[0, 1]]  # address, value"
        yield f'# unless = "{"running" if kind == "pcs" else "connected"}"'
        yield f'# until = "{"running" if kind == "pcs" else "connected"}"'
    if kind in ("pcs", "bms"):
        yield ""
        yield "# Its own comm-loss timer. Without one the site has to accept that in words."
        yield "# [watchdog]"
        yield "# addr = 0"
        yield "# fc = 6"
        yield "# value = 60"
        yield "# seconds_per_count = 1"
        yield '# on_loss = "unknown"  # what the source says happens'
        yield "# rewrite_ms = 0  # for one that counts down by itself"
