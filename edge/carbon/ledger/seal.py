"""Signature and time stamp of a day's root, made by a child process that ends: the key is never in the controller.

The controller would carry `cryptography` for ever (10.6 MB of memory) to sign once a day; the child has it for a tenth
of a second (measured: `python -m tests.bench ledger`). Run as `python -m edge.carbon.ledger.seal sign|stamp ...`.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Job = Literal["sign", "stamp"]
CREDENTIAL = "ledger-key"  # LoadCredential=ledger-key:... of the service
CHILD_MAX_MS = 120_000  # a slow authority, a slow processor; after this the child is ended and tried again later
STAMP_TIMEOUT_S = 60
STAMP_MAX_BYTES = 1 << 16
EXIT_REFUSED = 1


def signed_message(root_digest: str) -> bytes:
    """What is signed and stamped: a line that says what it is, and the hash of the day_root entry in hex."""
    return f"tidewatt-edge day root 1\n{root_digest}\n".encode()


@dataclass(slots=True)
class _Child:
    process: "subprocess.Popen[bytes]"
    started_mono_ms: int


class Sealer:
    """At most one child at a time. Never waits."""

    def __init__(self, key_file: str, stamp_url: str) -> None:
        self.key_file = key_file or _credential()
        self.stamp_url = stamp_url
        self._child: _Child | None = None

    @property
    def busy(self) -> bool:
        return self._child is not None

    def start(self, job: Job, root_digest: str, mono_ms: int) -> str:
        """Begins; "" or why it could not."""
        option = ["--key", self.key_file] if job == "sign" else ["--url", self.stamp_url]
        command = [sys.executable, "-m", "edge.carbon.ledger.seal", job, *option, root_digest]
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()
            )
        except OSError as error:
            return f"the signing process cannot be started: {error}"
        self._child = _Child(process, mono_ms)
        return ""

    def poll(self, mono_ms: int) -> dict[str, Any] | None:
        """What the child found: its answer, or {"fault": why}; None while it works."""
        child = self._child
        if child is None:
            return None
        if child.process.poll() is None:
            if mono_ms - child.started_mono_ms < CHILD_MAX_MS:
                return None
            child.process.kill()
        output, _ = child.process.communicate()
        self._child = None
        try:
            answer = json.loads(output)
        except ValueError:
            return {"fault": f"the signing process ended with code {child.process.returncode} and no answer"}
        return answer if isinstance(answer, dict) else {"fault": "the signing process gave no answer"}

    def close(self) -> None:
        """Ends a child that still works."""
        if self._child is not None:
            self._child.process.kill()
            self._child.process.communicate()
            self._child = None


def _environment() -> dict[str, str]:
    """That of this process, so that the child finds the same package."""
    root = str(Path(__file__).resolve().parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}


def _credential() -> str:
    """Path of the systemd credential, or "" when there is none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(folder) / CREDENTIAL
    return str(path) if folder and path.exists() else ""


# ---- the child


def sign(key_file: Path, root_digest: str) -> dict[str, str]:
    """{"key", "signature"} in hex, or {"fault"}."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - the controller never loads it
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - the controller never loads it
    except ImportError:
        return {"fault": "signing needs cryptography, which is not installed: pip install 'tidewatt-edge[sign]'"}
    try:
        key = load_pem_private_key(key_file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        return {"fault": f"evidence.key_file {key_file}: {error}: an Ed25519 private key in PEM, without a password"}
    if not isinstance(key, Ed25519PrivateKey):
        return {"fault": f"evidence.key_file {key_file}: is no Ed25519 key: openssl genpkey -algorithm ed25519"}
    public = key.public_key().public_bytes_raw().hex()
    return {"key": public, "signature": key.sign(signed_message(root_digest)).hex()}


def stamp(url: str, root_digest: str) -> dict[str, str]:
    """{"authority", "token"}, the token as the authority's whole answer in base64; or {"fault"}."""
    import urllib.request  # noqa: PLC0415 - the controller never loads it

    try:
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response  # noqa: PLC0415 - the controller never loads it
    except ImportError:
        return {"fault": "time stamps need rfc3161-client, which is not installed: pip install 'tidewatt-edge[sign]'"}
    message = signed_message(root_digest)
    wanted = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
    head = {"Content-Type": "application/timestamp-query"}
    request = urllib.request.Request(url, wanted.as_bytes(), head, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=STAMP_TIMEOUT_S) as reply:
            raw = reply.read(STAMP_MAX_BYTES)
        answer = decode_timestamp_response(raw)
        status, imprint = answer.status, answer.tst_info.message_imprint.message if answer.status == 0 else b""
    except (OSError, ValueError) as error:
        return {"fault": f"evidence.stamp_url {url}: {error}"}
    if status != 0:
        return {"fault": f"evidence.stamp_url {url}: refused with status {status}"}
    if imprint != wanted.message_imprint.message:
        return {"fault": f"evidence.stamp_url {url}: the answer is to another question"}
    return {"authority": url, "token": base64.b64encode(raw).decode()}


def main() -> int:
    """Prints one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=["sign", "stamp"])
    parser.add_argument("--key", type=Path, default=Path())
    parser.add_argument("--url", default="")
    parser.add_argument("digest")
    options = parser.parse_args()
    found = sign(options.key, options.digest) if options.job == "sign" else stamp(options.url, options.digest)
    print(json.dumps(found))
    return EXIT_REFUSED if "fault" in found else 0


if __name__ == "__main__":
    sys.exit(main())
