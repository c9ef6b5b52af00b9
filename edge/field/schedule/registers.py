"""The newest value of every energy register of the site, as the devices count. Nothing is judged here."""

from edge.field.profile import Profile
from edge.model import Reading, RegisterValue

ENERGY_WORDS = ("energy", "energy_import", "energy_export", "energy_charge", "energy_discharge")


class Registers:
    """Readings in, `newest()` once a second. A register that was never read whole is not in it."""

    def __init__(self, profiles: dict[str, Profile]) -> None:
        self._routes: dict[tuple[str, str], tuple[tuple[int, str], ...]] = {}
        self._newest: dict[tuple[str, str], RegisterValue] = {}
        for device, profile in profiles.items():
            for block in profile.blocks:
                routes = tuple(
                    (index, point.role)
                    for index, point in enumerate(block.points)
                    if point.role and point.role.partition(".")[2] in ENERGY_WORDS
                )
                if routes:
                    self._routes[device, block.name] = routes

    def note(self, reading: Reading) -> None:
        for index, role in self._routes.get((reading.device, reading.block), ()):
            value_wh = reading.values[index]
            if value_wh is not None:
                self._newest[reading.device, role] = RegisterValue(reading.device, role, value_wh)

    def newest(self) -> tuple[RegisterValue, ...]:
        return tuple(self._newest.values())
