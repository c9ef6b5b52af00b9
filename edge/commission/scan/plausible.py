"""How likely it is that a device is the one of a profile, judged by what its registers would mean. Always only a guess.

A register that reads 0 proves little, a frequency of 50.02 Hz much: each point counts by how seldom rubbish looks like it.
"""

from dataclasses import dataclass

from edge.field.decode import decoder_of
from edge.field.profile import Profile

# role -> (lowest, highest, weight): canonical values that a healthy device shows. Weights: 1 for a range that a sixth of
# all register values fall into, 3 for one that hardly any random value hits.
LIKELY: dict[str, tuple[int, int, int]] = {
    "meter.frequency": (45_000, 65_000, 3),
    "meter.voltage_l1": (900, 4_200, 2),  # 90..420 V
    "meter.power": (-10_000_000, 10_000_000, 1),
    "pcs.power": (-10_000_000, 10_000_000, 1),
    "pcs.dc_voltage": (0, 15_000, 2),
    "pcs.heatsink_temp": (-400, 1_200, 1),
    "pv.power": (0, 10_000_000, 1),
    "pv.temp": (-400, 1_200, 1),
    "meter.energy_import": (1, 10**12, 1),
    "meter.energy_export": (1, 10**12, 1),
    "pcs.energy_charge": (1, 10**12, 1),
    "pcs.energy_discharge": (1, 10**12, 1),
    "pv.energy": (1, 10**12, 1),
    "bms.pack_voltage": (240, 15_000, 2),
    "bms.soc": (0, 10_000, 1),
    "bms.soh": (1_000, 10_000, 2),
    "bms.cell_voltage_min": (2_000, 4_300, 3),
    "bms.cell_voltage_max": (2_000, 4_300, 3),
    "bms.cell_temp_min": (-400, 800, 1),
    "bms.cell_temp_max": (-400, 800, 1),
}
STRENGTHS = ((9, "good"), (4, "fair"), (1, "weak"))  # from this score on; one power that is no rubbish is weak


@dataclass(frozen=True, slots=True)
class Guess:
    """A profile that would make sense of the registers. `score` is the weight of all plausible values together."""

    profile: str
    score: int
    plausible_count: int
    points_count: int  # with a role, of the blocks that could be read

    @property
    def strength(self) -> str:
        return next(word for least, word in STRENGTHS if self.score >= least)

    def text(self) -> str:
        return f"{self.strength}: {self.plausible_count} of {self.points_count} values"


def judge(profile: Profile, payloads: dict[str, bytes]) -> Guess | None:
    """`payloads`: what its blocks read, by name. None: it cannot be this one, or nothing speaks for it."""
    if any(block.mandatory and block.name not in payloads for block in profile.blocks):
        return None
    read = [block for block in profile.blocks if block.name in payloads]
    ratios: dict[str, int] | None = {} if any(point.times for block in read for point in block.points) else None
    decoders = [decoder_of(block, profile.id, ratios) for block in read]
    for block, decoder in zip(read, decoders, strict=True):  # what multiplies is known after this
        decoder.decode(payloads[block.name], 0)
    score, plausible_count, points_count = 0, 0, 0
    for block, decoder in zip(read, decoders, strict=True):
        reading = decoder.decode(payloads[block.name], 0)
        if not reading.complete:
            return None
        for point, value in zip(block.points, reading.values, strict=True):
            low, high, weight = LIKELY.get(point.role, (0, 0, 0))
            points_count += bool(weight)
            if value and weight and low <= value <= high:  # an unused register reads 0 as well: no proof
                score, plausible_count = score + weight, plausible_count + 1
    return Guess(profile.id, score, plausible_count, points_count) if score else None
