"""Options of the views: the same samples in the words of others. All of them are off until somebody asks for one."""

from dataclasses import dataclass, field

from edge.config.option import option

LEVEL = r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}"  # one level of a Sparkplug topic, without what confuses its users


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker of a view. Its own: it is often another than that of the cloud, and a view has a connection of its own."""

    host: str = option("", when="broker of this view; empty switches the view off")
    port: int = option(1883, low=1, high=65_535)
    username: str = option("", when="the broker asks for one; for ThingsBoard the access token of the gateway")
    password_file: str = option("", when="its first line is the password; read anew for each connection")
    tls: bool = option(False, when="true wherever the broker is not on this machine; the port is then usually 8883")
    ca_file: str = option("", when="PEM of a private CA; empty trusts the system's")
    cert_file: str = option("", when="the broker asks for a client certificate (PEM)")
    key_file: str = option("", when="its key (PEM, not encrypted), when it is not in cert_file")
    keepalive_s: int = option(30, low=5, high=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkplug(Broker):
    """Sparkplug B 3.0, this site as an edge node."""

    group: str = option("tidewatt", pattern=LEVEL, when="the Group ID under which the host looks for this site")
    primary_host: str = option("", pattern=f"|{LEVEL}", when="a Host ID: nothing is published while it is offline")
    history_s: int = option(900, low=0, high=3_600, when="how much of an outage is sent afterwards; 0: none")
    setpoints: bool = option(False, when="true lets whoever may write on that broker wish a power of the battery")
    setpoint_lease_s: int = option(60, low=5, high=900, when="a wish ends after this; the host writes it again before")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingsBoard(Broker):
    """The JSON of ThingsBoard's gateway API; the device is named like the site."""

    every_s: int = option(10, low=1, high=300, when="how many seconds go into one message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Best effort, each of them: what must not be lost goes through the cloud's own stream."""

    json_every_s: int = option(0, low=0, high=3_600, when="one sample as plain JSON this often; 0: none")
    sparkplug: Sparkplug = field(default_factory=Sparkplug)
    thingsboard: ThingsBoard = field(default_factory=ThingsBoard)
