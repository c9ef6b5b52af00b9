"""What a view is: something that is shown each sample and makes of it what others understand. No view here.

A view may lose samples; the native stream is the one that does not. It runs on the uplink's thread, waits for nothing,
raises nothing for a fault of the network, and holds a bounded number of samples.
"""

from typing import Protocol

from edge.cloud.access import Access
from edge.config.views import Broker
from edge.model import Sample


class View(Protocol):
    """What the uplink calls."""

    def note(self, sample: Sample) -> None:
        """The newest second of the site."""

    def step(self, mono_ms: int) -> None:
        """Whatever is due now; never waits."""

    def close(self) -> None:
        """Last words."""


def access_to(broker: Broker) -> Access:
    """How a view proves itself to its broker."""
    return Access(
        broker.username, broker.password_file, broker.tls, broker.ca_file, broker.cert_file, broker.key_file
    )  # fmt: skip
