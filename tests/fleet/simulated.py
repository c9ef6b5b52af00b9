"""`make simulate`: a broker and a SQLite file of its own, N gateways for so many minutes, and the verdict."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cloud.broker import running


def main() -> int:
    count, minutes = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as broker:
        words = ["simulate", count, "--minutes", minutes, "--sqlite", f"{name}/fleet.db", "--port", str(broker.port)]
        return subprocess.run([sys.executable, "-m", "edge.fleet", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
