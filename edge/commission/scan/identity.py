"""Who a device is, by what it says of itself; else which profiles it might be, marked as guesses."""

from dataclasses import dataclass
from typing import Literal

from edge.commission.line import SCAN_FUNCTIONS, ReadLine
from edge.commission.scan.plausible import Guess, judge
from edge.commission.scan.sunspec import Described, describe
from edge.field.decode import identity_text
from edge.field.line.rtu import Expect, read_request
from edge.field.profile import Identify, Profile
from edge.field.upkeep import Identity as Known

How = Literal["identified", "sunspec", "guess", "unknown"]


@dataclass(frozen=True, slots=True)
class Identity:
    """identified: it says so itself, and `profiles` are those that it fits; sunspec: it describes itself, in `described`;
    guess: `guesses`, best first.
    """

    how: How = "unknown"
    profiles: tuple[str, ...] = ()
    text: str = ""  # what it says
    guesses: tuple[Guess, ...] = ()
    described: Described | None = None

    @property
    def best(self) -> str:
        """The profile to begin with; "" when there is none."""
        if self.described is not None:
            return self.described.profile
        return self.profiles[0] if self.profiles else self.guesses[0].profile if self.guesses else ""


async def who_is(line: ReadLine, unit: int, profiles: tuple[Profile, ...], turnaround_s: float) -> Identity:
    """Asks the registers in which devices say who they are; where none fits, reads what the profiles would read."""
    said: dict[Identify, str] = {}
    matching = []
    for profile in profiles:
        wanted = profile.identify
        if wanted is None:
            continue
        known = Known(unit, wanted)
        assert known.expect is not None
        answer = (await line.ask(known.expect, turnaround_s)).answer
        if known.note(answer) and isinstance(answer, bytes):
            said[wanted] = identity_text(wanted, answer)
            matching.append(profile)
    if matching:
        text = " / ".join(dict.fromkeys(said.values()))
        return Identity("identified", tuple(profile.id for profile in matching), text)
    described = await describe(line, unit, turnaround_s)
    if described is not None:
        return Identity("sunspec", text=described.text, described=described)
    guesses = [guess for profile in profiles if (guess := await _guess(line, unit, profile, turnaround_s)) is not None]
    guesses.sort(key=lambda guess: -guess.score)
    return Identity("guess" if guesses else "unknown", guesses=tuple(guesses))


async def _guess(line: ReadLine, unit: int, profile: Profile, turnaround_s: float) -> Guess | None:
    """A profile with [identify] that did not match is no guess: the device has said that it is another."""
    if profile.identify is not None:
        return None
    if any(block.mandatory and block.fc not in SCAN_FUNCTIONS for block in profile.blocks):
        return None
    payloads: dict[str, bytes] = {}
    for block in sorted(profile.blocks, key=lambda block: not block.mandatory):  # most end at the first question
        if block.fc not in SCAN_FUNCTIONS:
            continue
        question = Expect(read_request(unit, block.fc, block.start, block.count))
        answer = (await line.ask(question, turnaround_s)).answer
        if isinstance(answer, bytes):
            payloads[block.name] = answer
        elif block.mandatory:
            return None
    return judge(profile, payloads)
