"""Which MQTT broker the demo and the tests start, and how: mosquitto where it is installed, else amqtt.

`BROKER=amqtt` or `BROKER=mosquitto` in the environment chooses; one that was chosen and is not there is not replaced.
amqtt is pure Python and speaks MQTT 3.1.1 only. As a command (`python -m hil.demo.broker`) it says what would be used.
"""

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

MOSQUITTO_PATHS = ("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
NAMES = ("mosquitto", "amqtt")
MISSING = "no broker: install mosquitto, or the `hil` extra for amqtt (make demo does either)"
_AMQTT = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""


@dataclass(frozen=True, slots=True)
class BrokerProgram:
    """A broker that can be started here; `path` is empty for amqtt, which runs in our own Python."""

    name: str
    path: str = ""

    def command(self, folder: Path, port: int, extra: str = "") -> list[str]:
        """Writes its settings into `folder`; the command for a broker on the loopback. `extra`: lines for mosquitto."""
        if self.name == "mosquitto":
            settings = folder / "mosquitto.conf"
            lines = extra or f"listener {port} 127.0.0.1\nallow_anonymous true"
            settings.write_text(f"persistence false\n{lines}\n")
            return [self.path, "-c", str(settings)]
        settings = folder / "amqtt.yaml"
        settings.write_text(_AMQTT.format(port=port))
        return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(settings)]

    def text(self) -> str:
        return f"mosquitto ({self.path})" if self.path else "amqtt (in Python, MQTT 3.1.1 only)"


def find_broker(wanted: str | None = None) -> BrokerProgram | None:
    """The broker of this name; by default that of BROKER, else the first there is. None: not here."""
    wanted = os.environ.get("BROKER", "") if wanted is None else wanted
    found = next(filter(None, map(shutil.which, MOSQUITTO_PATHS)), "")
    if wanted in ("", "mosquitto") and found:
        return BrokerProgram("mosquitto", found)
    if wanted in ("", "amqtt") and importlib.util.find_spec("amqtt") is not None:
        return BrokerProgram("amqtt")
    return None


def broker_text() -> str:
    """What would be used, in words."""
    found, wanted = find_broker(), os.environ.get("BROKER", "")
    if found is not None:
        why = " as BROKER says" if wanted else "" if found.name == "mosquitto" else "; mosquitto is not installed"
        return f"broker: {found.text()}{why}"
    if wanted and wanted not in NAMES:
        return f"broker: none; BROKER={wanted} must be one of {', '.join(NAMES)}"
    return f"broker: none; BROKER={wanted} is not installed" if wanted else MISSING


if __name__ == "__main__":
    print(broker_text())
