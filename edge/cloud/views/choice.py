"""Which views a site has, as its site file says. The only place that knows them all."""

from collections.abc import Callable, Iterator

from edge.cloud.access import Access
from edge.cloud.link import Connection
from edge.cloud.topics import Topics
from edge.cloud.views.base import View, access_to
from edge.cloud.views.plain import JsonView
from edge.cloud.views.sparkplug.view import SparkplugView
from edge.cloud.views.thingsboard import ThingsBoardView
from edge.config.options import Config
from edge.model import AuditEntry, Request


def views_of(
    config: Config,
    topics: Topics,
    link: Connection | None,
    offer: Callable[[Request], None],
    tell: Callable[[AuditEntry], None],
) -> tuple[View, ...]:
    """The views that are switched on. `link` is the cloud's; only the JSON view goes that way, behind everything else."""
    views = config.views
    found = list[View]()
    if views.sparkplug.host:
        found.append(SparkplugView(config, offer, tell))
    if views.thingsboard.host:
        found.append(ThingsBoardView(config.site, views.thingsboard))
    if views.json_every_s and link is not None:
        found.append(JsonView(link, topics, views.json_every_s))
    return tuple(found)


def accesses_of(config: Config) -> Iterator[tuple[str, Access]]:
    """(table of the site file, files and user) of each broker of a view that is switched on, for `edge check`."""
    for table, broker in (("sparkplug", config.views.sparkplug), ("thingsboard", config.views.thingsboard)):
        if broker.host:
            yield f"views.{table}", access_to(broker)
