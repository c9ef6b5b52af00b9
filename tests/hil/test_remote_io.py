"""The remote I/O at image level and at its borders: what each contact does, how it ends, and what silence means.

At wire level the same is told by the scenarios estop-input, smoke, door, key-switch and io-silence.
"""

from typing import Any

import pytest

from edge.app import bus_devices
from edge.config.options import Config
from edge.config.reader import parse_config, read_toml
from edge.control.authority import Authority
from edge.control.image import AGE_NEVER_MS, IO_FLAGS, InputImage
from edge.control.kernel import Kernel, Mode, SiteCause, SiteFlag
from edge.control.orders import Orders
from edge.control.settings import config_struct
from edge.errors import ConfigFault
from edge.field.profiles.loader import load_profile
from edge.model import Reading, Request
from edge.roles import FLAGS
from hil.assembly import unit_specs
from hil.day.image import EXAMPLE, ImageDay
from hil.plant.load import AiLoadSpec
from hil.plant.site import SiteSpec

IO = FLAGS["io"]


def io_config(profile: str = "remote-io-8", use: str = "io", **safe: str) -> Config:
    """The example site at 1 Hz with a remote I/O on the slow bus."""
    tables = read_toml(EXAMPLE)
    tables["site"]["cycle_ms"] = 1_000
    tables["safe"] = dict(safe)
    tables["limits"]["import_max_w"] = 30_000
    tables["device"].append({"name": "io1", "profile": profile, "port": "slow", "address": 9, "use": use})
    for name in ("store", "cloud", "console"):
        tables.pop(name, None)
    tables["signal"] = {"kind": "none"}
    return parse_config(tables, "site.toml")


def test_the_flags_are_those_of_the_kernel() -> None:
    assert {name.upper(): bit for name, bit in IO.items()}.items() <= {
        flag.name: flag.value for flag in SiteFlag
    }.items()


# contacts and when they say it, the site's word, cause, mode meanwhile, whether power is forbidden, who ends it
DEEDS: list[tuple[dict[str, tuple[int, int]], dict[str, str], SiteCause, Mode, bool, str]] = [
    ({"estop": (20, 30)}, {}, SiteCause.ESTOP, Mode.ESTOP, True, "a person"),
    ({"smoke_1": (18, 35), "smoke_2": (20, 30)}, {}, SiteCause.SMOKE, Mode.ESTOP, True, "a person"),
    ({"smoke_2": (20, 30)}, {}, SiteCause.SMOKE_WARN, Mode.RUN, False, "itself"),
    ({"door": (18, 30)}, {"door": "zero"}, SiteCause.DOOR, Mode.RUN, True, "itself"),
    ({"door": (18, 30)}, {"door": "warn"}, SiteCause.DOOR, Mode.RUN, False, "itself"),
    ({"local": (20, 30)}, {}, SiteCause.LOCAL, Mode.LOCAL, True, "itself"),
    ({"water": (20, 30)}, {}, SiteCause.WATER, Mode.FAULT, True, "a person"),
]


@pytest.mark.parametrize(
    ("contacts", "safe", "cause", "mode", "is_zero", "ended_by"), DEEDS, ids=[f"{d[2].name}-{d[1]}" for d in DEEDS]
)
def test_a_contact_stops_what_it_must_and_ends_as_it_must(
    contacts: dict[str, tuple[int, int]],
    safe: dict[str, str],
    cause: SiteCause,
    mode: Mode,
    is_zero: bool,
    ended_by: str,
) -> None:
    config = io_config(**safe)
    day = ImageDay(config, SiteSpec(units=unit_specs(config), load=AiLoadSpec(jobs=((0.0, 1e6),))), 1)
    seen: dict[int, tuple[int, bool, int, int]] = {}
    for second in range(70):
        for name, (from_s, to_s) in contacts.items():
            day.site.contacts.say(name, from_s <= second < to_s)
        if second in (50, 55):  # after an emergency the first lets go of the latch, the second lets it start
            day.authority.offer(Request("console", "reset"))
        day.run(1)
        out = day.kernel.output
        seen[second] = (out.mode, bool(out.why >> cause & 1), out.latched, out.battery_w)
    before, during, after = seen[17], seen[25], seen[47]
    assert before[0] == Mode.RUN and not before[1] and before[3] > 0, "the grid cannot carry the load alone"
    assert during[1] and during[0] == mode and (during[3] == 0) == is_zero
    waits = ended_by == "a person"
    assert bool(after[2]) == waits and (after[0] == Mode.RUN) != waits
    assert seen[69][0] == Mode.RUN and not seen[69][2] and seen[69][3] > 0


class Frozen:
    """Image and kernel of the example site with a remote I/O, readings given by hand."""

    def __init__(self, profile: str = "remote-io-8") -> None:
        self.config = io_config(profile)
        self.kernel = Kernel(config_struct(self.config))
        self.profiles = {device.name: load_profile(device.profile) for device in self.config.device}
        self.image = InputImage(self.config, self.profiles, self.kernel.input)

    def freeze(self, now_mono_ms: int) -> Any:
        self.image.freeze(now_mono_ms, Authority(auto_run=True).settle(now_mono_ms))
        return self.kernel.input

    def say(self, flags: int | None, taken_mono_ms: int) -> None:
        self.image.note(Reading("io1", "inputs", taken_mono_ms, (flags,), flags is not None))


def test_what_was_never_seen_is_old_and_what_is_missing_refreshes_nothing() -> None:
    frozen = Frozen()
    assert frozen.kernel.config.io_required == 1
    assert frozen.freeze(1_000).io_age_ms == AGE_NEVER_MS
    frozen.say(IO["door"], 1_000)
    tw = frozen.freeze(1_200)
    assert (tw.io_age_ms, tw.flags) == (200, IO["door"])
    frozen.say(None, 1_900)
    tw = frozen.freeze(2_000)
    assert (tw.io_age_ms, tw.flags) == (1_000, IO["door"]), "an input that cannot be read is no all-clear"


def test_the_remote_io_leaves_the_flags_of_others_alone() -> None:
    frozen = Frozen()
    frozen.kernel.input.flags = SiteFlag.CHANGED | SiteFlag.ESTOP
    frozen.say(IO["local"], 1_000)
    assert frozen.freeze(1_000).flags == SiteFlag.CHANGED | IO["local"]
    assert not IO_FLAGS & (SiteFlag.CHANGED | SiteFlag.SELF_TEST)


def test_without_a_remote_io_its_silence_counts_for_nothing() -> None:
    config = parse_config(read_toml(EXAMPLE), "site.toml")
    assert config_struct(config).io_required == 0


def test_another_kind_of_profile_is_refused_as_remote_io() -> None:
    with pytest.raises(ConfigFault, match="is a meter, but use = 'io' needs a io"):
        bus_devices(io_config("abb-b23"))


def test_lamp_and_generator_follow_the_kernel() -> None:
    frozen = Frozen()
    told: dict[tuple[str, str], int] = {}
    orders = Orders(
        frozen.config, frozen.profiles, frozen.image, lambda *a: told.update({a[:2]: a[2]}), lambda *_: None
    )  # fmt: skip
    out = frozen.kernel.output
    orders.give(frozen.kernel.input, out)
    assert (told["io1", "lamp"], told["io1", "genset"]) == (0, 0)
    out.signals, out.unit[0].latched = 2, 1
    orders.give(frozen.kernel.input, out)
    assert (told["io1", "lamp"], told["io1", "genset"]) == (1, 1)
