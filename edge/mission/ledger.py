"""The carbon ledger of a site: its annual factor from the tables, its rows in the journal."""

from collections.abc import Callable
from pathlib import Path

from edge.carbon.factors.use import annual_use
from edge.carbon.ledger.ledger import Ledger
from edge.config.options import Config
from edge.mission.second import fuel_of
from edge.plan.signals.live import site_table


def ledger_of(
    config: Config,
    rows: Callable[[int], list[bytes] | None],
    append: Callable[[int, int, bytes], None],
    has_room: Callable[[], bool],
) -> Ledger:
    """With its region's annual factor. Raises ConfigFault: no such table of factors."""
    annual = annual_use(site_table(config.signal), config.signal.basis, Path(config.file).parent / "factors")
    return Ledger(config, rows, append, annual=annual, genset=fuel_of(config), has_room=has_room)
