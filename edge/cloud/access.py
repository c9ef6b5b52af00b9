"""How a gateway proves itself to the broker and the broker to it: CA, client certificate and password, all from files.

The password is read anew for each connection; when certificate files are read anew is in tls/papers.py. Everything that
is wrong with them is a text that names the option; nothing secret is in it. When to try again is not decided here.
"""

import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.config.options import Cloud
from edge.errors import DataFault

PASSWORD_MAX_BYTES = 65_535  # of MQTT


@dataclass(frozen=True, slots=True)
class Access:
    """Names of the files and the user; "" for what is not used."""

    username: str = ""
    password_file: str = ""  # its first line
    tls: bool = False
    ca_file: str = ""  # PEM; "": the system's
    cert_file: str = ""  # PEM, the client's own, with its chain
    key_file: str = ""  # PEM, not encrypted; "": in cert_file

    def context(self) -> ssl.SSLContext | None:
        """TLS 1.2 or later, the broker's name and certificate checked; None without TLS. Raises DataFault."""
        if not self.tls:
            return None
        context = self._trusting()
        if self.cert_file:
            self._show_certificate(context)
        return context

    def _trusting(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ValueError) as error:
            raise DataFault(
                f"ca_file {self.ca_file}: {_reason(error)}; must be readable certificates in PEM"
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _show_certificate(self, context: ssl.SSLContext) -> None:
        key_file = self.key_file or self.cert_file
        for option, name, holds in (
            ("cert_file", self.cert_file, b"CERTIFICATE"),
            ("key_file", key_file, b"PRIVATE KEY"),
        ):
            try:
                content = Path(name).read_bytes()
            except (OSError, ValueError) as error:
                raise DataFault(f"{option} {name}: {_reason(error)}") from error
            if not re.search(
                rb"-----BEGIN [A-Z ]*%b-----.*-----END [A-Z ]*%b-----" % (holds, holds), content, re.DOTALL
            ):
                what = "a certificate and its key in PEM, the key not encrypted"
                raise DataFault(f"{option} {name}: no whole {holds.decode().lower()} is in it; must be {what}")
        try:  # an encrypted key would ask the terminal: it gets an empty word instead, and fails
            context.load_cert_chain(self.cert_file, key_file, password=lambda: "")
        except (OSError, ValueError) as error:
            what = "must be a certificate and its key in PEM, the key not encrypted"
            raise DataFault(f"cert_file {self.cert_file}, key_file {key_file}: {_reason(error)}; {what}") from error

    def password(self) -> str | None:
        """The first line of the file; None without one. Raises DataFault."""
        name = self.password_file
        if not name:
            return None
        try:
            first = Path(name).read_text().partition("\n")[0].rstrip("\r")
        except (OSError, ValueError) as error:
            raise DataFault(f"password_file {name}: {_reason(error)}") from error
        if not first or len(first.encode()) > PASSWORD_MAX_BYTES:
            raise DataFault(f"password_file {name}: its first line must be a password of 1..{PASSWORD_MAX_BYTES} bytes")
        return first

    def faults(self) -> Iterator[str]:
        """What is wrong with the files now, all of it; each text begins with the name of its option."""
        checks: list[Callable[[], object]] = [self.password]
        if self.tls:
            checks.append(self._trusting)
        if self.tls and self.cert_file:
            checks.append(lambda: self._show_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)))
        for check in checks:
            try:
                check()
            except DataFault as fault:
                yield str(fault)


def access_of(cloud: Cloud) -> Access:
    """As a site file says."""
    return Access(cloud.username, cloud.password_file, cloud.tls, cloud.ca_file, cloud.cert_file, cloud.key_file)


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error)
