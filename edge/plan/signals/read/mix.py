"""Powers by interval and name, collected as a source lists them, and given back as samples in order of time.

Rules (all sources): a name that repeats in an interval replaces the value before; names of one fuel add up; negative
generation is a plant that stands still and counts 0; only storage and imports keep their sign; a name that nobody knows
counts as "unknown" and is told. An interval in which a fuel is missing that most others have would be too clean or too
dirty: it is left out.
"""

from collections import Counter
from collections.abc import Mapping

from edge.errors import DataFault
from edge.plan.signals.read.source import Reply
from edge.plan.signals.samples import MixSample, SampleQuality

SIGNED = frozenset({"storage", "imports"})
UNKNOWN_NAMES_MAX = 8  # told by name; a source that changes all its names is told as that


class MixTable:
    """One answer."""

    def __init__(self, source: str, schema_id: str, interval_s: int, fuels: Mapping[str, str]) -> None:
        """`fuels`: names of the source, lower case, to ours."""
        self._source = source
        self._schema_id = schema_id
        self._interval_s = interval_s
        self._fuels = fuels
        self._rows: dict[int, dict[str, int | None]] = {}

    def add(self, start_wall_ms: int, name: str, power_kw: int | None) -> None:
        self._rows.setdefault(start_wall_ms, {})[name.strip().lower()] = power_kw

    def samples(
        self, reply: Reply, *, updated_wall_ms: int | None = None, quality: SampleQuality = "measured",
        notes: Mapping[str, str] | None = None,
    ) -> tuple[MixSample, ...]:  # fmt: skip
        """Raises DataFault when no interval is whole. `notes`: what is to be said when a name generates."""
        usual = self._usual()
        found: list[MixSample] = []
        for start_wall_ms in sorted(self._rows):
            row = self._rows[start_wall_ms]
            if any(row.get(name) is None for name in usual):
                continue
            power_kw, unknown = self._fold(row)
            if not any(kw > 0 for fuel, kw in power_kw.items() if fuel not in SIGNED):
                continue
            note = "; ".join(text for name, text in (notes or {}).items() if (row.get(name) or 0) > 0)
            found.append(
                MixSample(
                    source=self._source, region=reply.region, start_wall_ms=start_wall_ms, interval_s=self._interval_s,
                    received_wall_ms=reply.received_wall_ms, updated_wall_ms=updated_wall_ms, raw_sha256=reply.sha256,
                    schema_id=self._schema_id, quality=quality, power_kw=tuple(sorted(power_kw.items())),
                    unknown=unknown, note=note,
                )
            )  # fmt: skip
        if not found:
            raise DataFault(
                f"{self._source}: no whole interval among {len(self._rows)}; the source has published none yet"
            )
        return tuple(found)

    def _usual(self) -> list[str]:
        """Names of generation that more than half of the intervals have a value for."""
        counts = Counter(name for row in self._rows.values() for name, kw in row.items() if kw is not None)
        signed = {name for name in counts if self._fuels.get(name) in SIGNED}
        return [name for name, count in counts.items() if 2 * count > len(self._rows) and name not in signed]

    def _fold(self, row: Mapping[str, int | None]) -> tuple[dict[str, int], tuple[str, ...]]:
        power_kw: dict[str, int] = {}
        unknown = []
        for name, kw in row.items():
            if kw is None:
                continue
            if name not in self._fuels:
                unknown.append(name[:32])
            fuel = self._fuels.get(name, "unknown")
            power_kw[fuel] = power_kw.get(fuel, 0) + (kw if fuel in SIGNED else max(0, kw))
        return power_kw, tuple(sorted(unknown)[:UNKNOWN_NAMES_MAX])
