"""One site stepped in C and in the oracle, each from its own state; every output and every guard field compared.

`play` draws a whole run from one seed. A difference is raised as Disagreement with seed, cycle and fields.
"""

from random import Random
from typing import Any

from edge._kernel import ffi, lib
from tests.kernel.duel.coverage import Coverage
from tests.kernel.duel.door import Door
from tests.kernel.duel.edgy import as_shown, edgy_state
from tests.kernel.duel.hostile import address, hostile_library
from tests.kernel.duel.poke import garbage_state, poke_state
from tests.kernel.duel.sites import draw_site, draw_unit
from tests.kernel.duel.weather import Weather
from tests.kernel.oracle import bridge as b
from tests.kernel.oracle.accept import accepts
from tests.kernel.oracle.step import initial, step

HEAD, UNIT_SIZE, OUT_SIZE = b.STATE.struct.size, b.UNIT_STATE.size, b.UNIT_OUTPUT.size
OUT_HEAD = b.OUTPUT.struct.size


class Disagreement(AssertionError):
    """The C and the oracle differ."""


class Duel:
    """The four structs, the oracle's state, and one step of both. `hostile`: the test chooses the wish."""

    def __init__(self, config: Any, hostile: bool) -> None:
        self.config, self.hostile = config, hostile
        self.state, self.input = ffi.new("tw_state_t *"), ffi.new("tw_input_t *")
        self.output = ffi.new("tw_output_t *")
        self.raw_state, self.raw_input, self.raw_output = map(ffi.buffer, (self.state, self.input, self.output))
        self.c = b.read_config(ffi.buffer(config))
        for raw in (self.raw_state, self.raw_output):  # what is not written will show
            raw[:] = b"\xa5" * len(raw)
        self.accepted = self._init()
        self.ours, self.last = initial(self.c, self.accepted), None
        self.config_sum = self.state.config_sum  # the kernel's own: taken as it is, but always the same
        self.note_config_sum()
        self.units = range(self.c.unit_count if self.accepted else 0)
        self.tail = self.raw_state[self.end :]
        self.compare_states()

    @property
    def end(self) -> int:
        """Where the units end that there are; what lies behind is left alone."""
        return b.UNIT_STATES_AT + len(self.units) * UNIT_SIZE

    def _init(self) -> bool:
        if not self.hostile:
            status = lib.tw_init(self.config, self.state)
        else:
            c_lib = hostile_library()
            arguments = [address(part) for part in (self.config, self.state, self.input, self.output)]
            status = c_lib.tw_init(*arguments[:2])
            self._step = lambda: c_lib.tw_step(*arguments)
        if status != accepts(self.c):
            raise Disagreement(f"tw_init: C {status} oracle {accepts(self.c)}")
        return status == 0

    def adopt_config(self) -> None:
        """The configuration was changed in place: the oracle judges it and goes on with it."""
        self.c = b.read_config(ffi.buffer(self.config))
        self.accepted, self.config_sum = accepts(self.c) == 0, None
        self.units = range(self.c.unit_count if self.accepted else 0)
        self.tail = self.raw_state[self.end :]

    def note_config_sum(self) -> None:
        if self.config_sum is None and self.accepted:
            self.config_sum = self.state.config_sum
        if self.accepted:
            self.ours.config_sum = self.config_sum

    def load_state(self, raw: bytes) -> None:
        """Both continue from these bytes."""
        self.raw_state[:] = raw
        self.ours, self.tail = b.read_state(raw), raw[self.end :]

    def step(self, site: list[int], units: list[list[int]], wish: list[int]) -> Any:
        """One cycle of both; returns the oracle's output, which is that of the C."""
        b.INPUT.pack_into(self.raw_input, 0, *site)
        at = b.INPUT.offset["unit"]
        for n, row in enumerate(units):
            b.UNIT_INPUT.pack_into(self.raw_input, at + n * b.UNIT_INPUT.size, *row)
        seen = b.r.Input._make((*site, [b.r.UnitInput._make(row) for row in units]))
        if self.hostile:
            b.WISH.pack_into(self.raw_state, b.STATE.offset["wish"], *wish)
            self._step()
            door = b.make_wish(tuple(wish))
        else:
            lib.tw_step(self.config, self.state, self.input, self.output)
            door = b.read_door(self.raw_output)
        self.ours, self.last = step(self.c, self.ours, seen, door, self.accepted)
        self.note_config_sum()
        self.compare_states()
        self.compare_outputs()
        return self.last

    def compare_states(self) -> None:
        raw, found = self.raw_state, []
        if raw[:HEAD] != (ours := b.state_bytes(self.ours)):
            found += b.differences(b.STATE, raw[:HEAD], ours)
        for n in self.units:
            at = b.UNIT_STATES_AT + n * UNIT_SIZE
            theirs, ours = raw[at : at + UNIT_SIZE], b.unit_state_bytes(self.ours.unit[n])
            if theirs != ours:
                found += [f"unit {n} {line}" for line in b.differences(b.UNIT_STATE, theirs, ours)]
        if raw[self.end :] != self.tail:
            found.append("a unit that does not exist")
        if found:
            raise Disagreement("state: " + "; ".join(found))

    def compare_outputs(self) -> None:
        raw, found = self.raw_output, []
        if raw[:OUT_HEAD] != (ours := b.output_bytes(self.last)):
            found += b.differences(b.OUTPUT, raw[:OUT_HEAD], ours)
        rest = b"".join(map(b.unit_output_bytes, self.last.unit))
        if raw[b.UNIT_OUTPUTS_AT :] != rest:
            for n in range(len(self.last.unit)):
                at, end = n * OUT_SIZE, (n + 1) * OUT_SIZE
                lines = b.differences(
                    b.UNIT_OUTPUT, raw[b.UNIT_OUTPUTS_AT + at : b.UNIT_OUTPUTS_AT + end], rest[at:end]
                )
                found += [f"unit {n} {line}" for line in lines]
        if found:
            raise Disagreement("output: " + "; ".join(found))


def draw_config(rng: Random, tight: bool) -> Any:
    config = ffi.new("tw_config_t *")
    for name, value in draw_site(rng, tight).items():
        setattr(config, name, value)
    alike, unit = rng.random() < 0.5, draw_unit(rng, tight)
    for n in range(config.unit_count):
        unit = unit if alike else draw_unit(rng, tight)
        for name, value in unit.items():
            setattr(config.unit[n], name, value)
    return config


class Play:
    """A whole run: configuration, weather, wishes, and pokes into the state, all from one seed."""

    def __init__(self, rng: Random, hostile: bool = True) -> None:
        self.rng = rng
        tight = rng.random() < 0.25
        self.duel = Duel(draw_config(rng, tight), hostile)
        if not self.duel.accepted:
            raise Disagreement("the configuration drawn is not accepted")
        self.weather, self.door = Weather(rng, self.duel.c), Door(rng, self.duel.c)
        self.style = rng.choice(("plain",) * 7 + ("poked", "torn", "edgy", "edgy"))
        self.pokes = rng.choice((0.02, 0.2))
        if self.style == "torn":
            self.duel.load_state(garbage_state(rng, bytes(self.duel.raw_state)))

    def poke(self) -> None:
        """Puts the state where a run would not bring it now."""
        duel, raw = self.duel, bytes(self.duel.raw_state)
        if self.style == "edgy":
            duel.load_state(edgy_state(self.rng, duel.c, raw, self.weather.mono_ms))
            for _ in range(self.rng.randrange(5)):
                self.weather.trouble.begin_any(lasts=2)
        elif self.rng.random() < self.pokes:
            duel.load_state(poke_state(self.rng, duel.c, raw))

    def step(self, coverage: Coverage | None) -> None:
        duel, plain = self.duel, self.style == "plain"
        if not plain:
            self.poke()
        last, ours = duel.last, duel.ours
        shown = last.unit if last and self.style != "edgy" else as_shown(self.rng, ours)
        latched = bool(ours.latched) or any(ours.unit[n].latched for n in duel.units)
        site, units = self.weather.step(shown, latched)
        before = [(x.active, x.latched, x.mode) for x in (ours, *(ours.unit[n] for n in duel.units))]
        output = duel.step(site, units, self.door.step(last))
        if coverage is not None and plain:
            coverage.note(before, duel.ours, output)


def play(seed: int, cycles: int, hostile: bool, coverage: Coverage | None = None) -> None:
    """One run of `cycles`. Raises Disagreement with what is needed to run it again."""
    run = Play(Random(seed), hostile)
    for cycle in range(cycles):
        try:
            run.step(coverage)
        except Disagreement as error:
            raise Disagreement(f"seed {seed} hostile {hostile} cycle {cycle}: {error}") from None
