"""The input image: readings go in as they arrive, the kernel sees them frozen with their ages.

One owner of the kernel's input struct. A reading that is not complete refreshes no age, so a missing value grows old
and the kernel forbids; nothing here judges a value.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edge.config.options import Config
from edge.control.authority import Standing
from edge.control.pairing import Pairing
from edge.field.profile import Block, Profile
from edge.model import Announcement, Reading
from edge.roles import FLAGS

AGE_NEVER_MS = 2_147_483_647  # TW_AGE_NEVER
AGE_MAX_MS = AGE_NEVER_MS - 1  # seen once, then silent for 24.8 days: still not "never seen"
UNKNOWN = -2_147_483_647  # TW_UNKNOWN
IO_FLAGS = sum(FLAGS["io"].values())  # of tw_site_flag, what a remote I/O reports; the rest is not its business
PCS_GUARDED, PCS_WRITE_FAILED, BMS_GUARDED = 16, 32, 32  # tw_pcs_flag, tw_bms_flag

# role -> field of tw_unit_input_t
UNIT_FIELDS = {
    "pcs.power": "power_w",
    "pcs.dc_voltage": "pcs_dc_voltage_dv",
    "bms.pack_voltage": "pack_voltage_dv",
    "bms.pack_current": "pack_current_da",
    "bms.soc": "soc_cpct",
    "bms.current_charge_max": "current_charge_max_da",
    "bms.current_discharge_max": "current_discharge_max_da",
    "bms.cell_voltage_min": "cell_voltage_min_mv",
    "bms.cell_voltage_max": "cell_voltage_max_mv",
    "bms.cell_temp_min": "cell_temp_min_dc",
    "bms.cell_temp_max": "cell_temp_max_dc",
    "bms.insulation": "insulation_kohm",
    "bms.heartbeat": "bms_heartbeat",
}
# What a site can do without: unknown until a device says otherwise, and again when it has not said so for a while.
OPTIONAL_FIELDS = ("pcs_dc_voltage_dv", "insulation_kohm", "bms_heartbeat")
OPTIONAL_SITE_FIELDS = ("poc_voltage_dv", "poc_frequency_mhz")
POWER_FIELDS = ("poc_power_w", "power_w")
OPTIONAL_PERIODS = 3  # polls that may be missed
OPTIONAL_AGE_MIN_MS = 3_000
POC_FIELDS = {
    "meter.power": "poc_power_w",
    "meter.frequency": "poc_frequency_mhz",
    "meter.voltage_l1": "poc_voltage_dv",
}
# use of a device -> where its values go, and the field of their age
SITE_FIELDS: dict[str, tuple[dict[str, str], str]] = {
    "poc": (POC_FIELDS, "poc_age_ms"),
    "load": ({"meter.power": "load_power_w"}, "load_age_ms"),
    "pv": ({"pv.power": "pv_power_w"}, "pv_age_ms"),
    "genset": ({"meter.power": "genset_power_w"}, "genset_age_ms"),
}


@dataclass(slots=True)
class GensetInput:
    """The genset's meter, which the kernel does not ask for: the carbon account does."""

    genset_power_w: int = 0
    genset_age_ms: int = AGE_NEVER_MS


@dataclass(frozen=True, slots=True)
class Target:
    """Where one device's values go: a struct, the field of each role, the field of its flags ("" for none)."""

    struct: Any
    fields: dict[str, str]
    flags_field: str


class DeviceImage:
    """What is known of one device: when each block it cannot do without was last complete, and its flags."""

    __slots__ = (
        "_blocks", "_flag_parts", "_optional", "_target", "flags", "flags_extra", "frozen_since_ms", "taken_ms",
    )  # fmt: skip

    def __init__(self, profile: Profile, target: Target) -> None:
        self._target = target
        self._blocks: dict[str, tuple[tuple[int, str], ...]] = {}
        self._flag_parts: dict[str, dict[int, int]] = {}  # block -> index of a flags point -> its mask, as last known
        self.taken_ms: dict[str, int] = {}
        self._optional: dict[str, list[int]] = {}  # field -> [taken, age at which it is unknown again]
        self.flags = 0
        self.flags_extra = 0  # guarded, write failed: known by the bus, not by the device
        self.frozen_since_ms: int | None = None  # it answers, but what it says stands still since
        for block in profile.blocks:
            self._blocks[block.name] = _routes(block, target.fields)
            if block.mandatory or any(point.flags for point in block.points):
                self.taken_ms[block.name] = -1
            for _, name in self._blocks[block.name]:
                if name in OPTIONAL_FIELDS or name in OPTIONAL_SITE_FIELDS:
                    self._optional[name] = [-1, max(OPTIONAL_AGE_MIN_MS, OPTIONAL_PERIODS * block.period_ms)]
            for index, point in enumerate(block.points):
                if point.flags:
                    self._flag_parts.setdefault(block.name, {})[index] = 0

    def note(self, reading: Reading) -> None:
        """Writes the values into the struct; refreshes the block's age only when it is complete."""
        struct = self._target.struct
        for index, field in self._blocks.get(reading.block, ()):
            value = reading.values[index]
            if value is not None:
                setattr(struct, field, value)
                if field in self._optional:
                    self._optional[field][0] = reading.taken_mono_ms
        if reading.block in self._flag_parts:
            self._note_flags(reading)
        if reading.complete and reading.block in self.taken_ms:
            self.taken_ms[reading.block] = reading.taken_mono_ms

    def _note_flags(self, reading: Reading) -> None:
        """A flags point that is missing keeps what it last said."""
        newest = self._flag_parts[reading.block]
        for index in newest:
            value = reading.values[index]
            if value is not None:
                newest[index] = value
        flags = 0
        for parts in self._flag_parts.values():
            for mask in parts.values():
                flags |= mask
        self.flags = flags

    def carries_power(self, reading: Reading) -> bool:
        """Is the power of this device among these values?"""
        return any(name in POWER_FIELDS for _, name in self._blocks.get(reading.block, ()))

    def age_ms(self, now_mono_ms: int) -> int:
        """Age of the oldest block this device cannot do without; of its last change while it is frozen."""
        oldest = min(self.taken_ms.values()) if self.taken_ms else -1
        if self.frozen_since_ms is not None:
            oldest = min(oldest, self.frozen_since_ms)
        return AGE_NEVER_MS if oldest < 0 else min(now_mono_ms - oldest, AGE_MAX_MS)

    def forget_old(self, now_mono_ms: int) -> None:
        """Optional values that have not been said for a while are unknown, not what they were."""
        for field, (taken_ms, age_max_ms) in self._optional.items():
            if now_mono_ms - taken_ms > age_max_ms or taken_ms < 0:
                setattr(self._target.struct, field, UNKNOWN)

    def write_flags(self) -> None:
        if self._target.flags_field:
            setattr(self._target.struct, self._target.flags_field, self.flags | self.flags_extra)


def _routes(block: Block, fields: dict[str, str]) -> tuple[tuple[int, str], ...]:
    return tuple((index, fields[point.role]) for index, point in enumerate(block.points) if point.role in fields)


class InputImage:
    """All devices of a site, written into one tw_input_t."""

    def __init__(self, config: Config, profiles: dict[str, Profile], tw_input: Any) -> None:
        self._input = tw_input
        self.devices: dict[str, DeviceImage] = {}
        self.genset = GensetInput()
        self._site: list[tuple[DeviceImage, Any, str]] = []
        for device in config.device:
            if device.use in SITE_FIELDS:
                fields, age_field = SITE_FIELDS[device.use]
                struct = self.genset if device.use == "genset" else tw_input
                image = DeviceImage(profiles[device.name], Target(struct, fields, ""))
                self.devices[device.name] = image
                self._site.append((image, struct, age_field))
        self._io = [
            DeviceImage(profiles[device.name], Target(tw_input, {}, ""))
            for device in config.device
            if device.use == "io"
        ]
        self.devices |= dict(
            zip((device.name for device in config.device if device.use == "io"), self._io, strict=True)
        )
        self._units: list[tuple[DeviceImage, DeviceImage, Any]] = []
        for index, unit in enumerate(config.unit):
            struct = tw_input.unit[index]
            pcs = DeviceImage(profiles[unit.pcs], Target(struct, UNIT_FIELDS, "pcs_flags"))
            bms = DeviceImage(profiles[unit.bms], Target(struct, UNIT_FIELDS, "bms_flags"))
            self.devices[unit.pcs], self.devices[unit.bms] = pcs, bms
            self._units.append((pcs, bms, struct))
            for name in OPTIONAL_FIELDS:
                setattr(struct, name, UNKNOWN)
        self._pairing = Pairing([struct for _, _, struct in self._units])
        self._pcs_index = {unit.pcs: index for index, unit in enumerate(config.unit)}
        self._poc = {device.name for device in config.device if device.use == "poc"}
        for name in ("poc_age_ms", "load_age_ms", "pv_age_ms", "io_age_ms"):
            setattr(tw_input, name, AGE_NEVER_MS)
        for name in OPTIONAL_SITE_FIELDS:
            setattr(tw_input, name, UNKNOWN)

    def note(self, reading: Reading) -> None:
        name = reading.device
        image = self.devices[name]
        image.note(reading)
        if image.carries_power(reading):
            if name in self._poc:
                self._pairing.note_poc(reading.taken_mono_ms)
            elif name in self._pcs_index:
                self._pairing.note_pcs(self._pcs_index[name], reading.taken_mono_ms)

    def note_announcements(self, pending: Sequence[Announcement]) -> None:
        """What the cluster says its load will do; the first few, the rest of the slots empty."""
        slots = self._input.announcement
        for index in range(len(slots)):
            known = index < len(pending)
            slots[index].at_mono_ms = pending[index].at_mono_ms if known else 0
            slots[index].delta_w = pending[index].delta_w if known else 0

    def freeze(self, now_mono_ms: int, standing: Standing) -> None:
        """Ages, flags and wishes of this instant: after this the image is what the kernel decides on."""
        tw = self._input
        tw.mono_ms = now_mono_ms
        tw.commands = standing.commands
        tw.wish_kind, tw.wish_w, tw.wish_left_ms = standing.wish_kind, standing.wish_w, standing.wish_left_ms
        if self._io:
            self._freeze_io(now_mono_ms)
        for image, struct, field in self._site:
            setattr(struct, field, image.age_ms(now_mono_ms))
            image.forget_old(now_mono_ms)
        for pcs, bms, struct in self._units:
            struct.pcs_age_ms = pcs.age_ms(now_mono_ms)
            struct.bms_age_ms = bms.age_ms(now_mono_ms)
            pcs.forget_old(now_mono_ms)
            bms.forget_old(now_mono_ms)
            pcs.write_flags()
            bms.write_flags()

    def _freeze_io(self, now_mono_ms: int) -> None:
        """Remote I/O: what any of them says, as old as the oldest. While it is silent the kernel keeps what was said."""
        self._input.io_age_ms = max(image.age_ms(now_mono_ms) for image in self._io)
        flags = 0
        for image in self._io:
            flags |= image.flags
        self._input.flags = self._input.flags & ~IO_FLAGS | flags

    def note_guards(self, guards: Iterable[tuple[str, bool, bool, int | None]], is_pcs: Callable[[str], bool]) -> None:
        """What the bus knows of each device: (name, guarded, write not read back, frozen since).

        Guarded: its own comm-loss timer was read back, or the site file accepts in words that it has none.
        """
        for name, guarded, write_failed, frozen_since_ms in guards:
            image = self.devices[name]
            image.frozen_since_ms = frozen_since_ms
            if is_pcs(name):
                image.flags_extra = PCS_GUARDED * guarded | PCS_WRITE_FAILED * write_failed
            else:
                image.flags_extra = BMS_GUARDED * guarded
