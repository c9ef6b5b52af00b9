"""The topic names of `tw1`, in one place; both ends use it.

Four slashes, no wildcards of brokers we do not know: within the limits of the large
clouds' MQTT 5 brokers.
"""

from dataclasses import dataclass

ROOT = "tw1"
LANES = ("tm", "bf")  # live, backfill


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics of one gateway."""

    tenant: str
    gateway: str

    def _of(self, *levels: str) -> str:
        return "/".join((ROOT, self.tenant, self.gateway, *levels))

    def live(self, stream: str) -> str:
        return self._of("tm", stream)

    def backfill(self, stream: str) -> str:
        return self._of("bf", stream)

    def schema(self, schema_id: str) -> str:
        return self._of("sch", schema_id)

    @property
    def status(self) -> str:
        return self._of("st")

    @property
    def ack(self) -> str:
        return self._of("ack")

    @property
    def events(self) -> str:
        return self._of("ev")

    def json(self, stream: str) -> str:
        """The JSON view of a stream."""
        return self._of("js", stream)

    @property
    def replay(self) -> str:
        """Where a range of samples is asked for again."""
        return self._of("cmd", "replay")

    def result(self, command_id: str) -> str:
        """Where the result of a command is told."""
        return self._of("res", command_id)

    @property
    def caps(self) -> str:
        """Retained, of the whole tenant: how fast its gateways may send their backlog."""
        return f"{ROOT}/{self.tenant}/caps"

    @property
    def intensity(self) -> str:
        """Where a grid intensity is pushed to."""
        return self._of("sig", "intensity")

    def compute(self, suffix: str) -> str:
        """Where the cluster listens; `suffix` is that of a BudgetMessage."""
        return f"{self._of()}/{suffix}"


@dataclass(frozen=True, slots=True)
class Address:
    """A topic taken apart."""

    tenant: str
    gateway: str
    kind: str  # tm, bf, sch, st, ...
    name: str  # stream or schema id; empty for st, ev and ack


def parse(topic: str) -> Address | None:
    """The parts of a topic of ours, or None."""
    levels = topic.split("/")
    if len(levels) not in (4, 5) or levels[0] != ROOT or not all(levels):
        return None
    return Address(levels[1], levels[2], levels[3], levels[4] if len(levels) == 5 else "")


def ingest_filters(tenant: str = "+") -> tuple[str, ...]:
    """What an ingest subscribes to. Backfill is a filter of its own, so that it may have a group of its own."""
    return tuple(f"{ROOT}/{tenant}/+/{kind}/#" for kind in (*LANES, "sch"))


def events_filter(tenant: str = "+") -> str:
    """Where the events of every gateway come."""
    return f"{ROOT}/{tenant}/+/ev"
