"""The invitation to the compute cluster: `compute-budget/1` messages on `compute/<cluster>/budget` (retained, QoS 1).

Every message expires by itself (`valid_until`): a gateway that dies invites nobody for long. A withdrawal is a message
with `invite_kw` 0. This asks for more work, it never caps: `cap_kw` is null until a cap exists.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

SCHEMA = "compute-budget/1"
VALIDITY_MS = 900_000  # a scheduler's horizon for a job start; renewed long before
RENEW_MS = 300_000  # two renewals may be lost before the invitation lapses
FALLBACK_AFTER_S = 300

InviteReason = Literal["carbon_low", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Invitation:
    """So much compute power is welcome now, because the power is this clean."""

    invite_w: int
    intensity_mg_per_kwh: int


@dataclass(frozen=True, slots=True)
class BudgetMessage:
    """Ready to publish; `topic` is the part after the site's base."""

    topic: str
    payload: bytes


def budget_topic(cluster: str) -> str:
    return f"compute/{cluster}/budget"


def _iso(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms // 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _kilo(value: int) -> int | float:
    return value // 1000 if value % 1000 == 0 else value / 1000


def render_budget(invitation: Invitation | None, *, message_id: str, wall_ms: int) -> bytes:
    """One message; None withdraws."""
    reason: InviteReason = "carbon_low" if invitation else "withdrawn"
    body = {
        "schema": SCHEMA,
        "id": message_id,
        "issued": _iso(wall_ms),
        "valid_from": _iso(wall_ms),
        "valid_until": _iso(wall_ms + VALIDITY_MS),
        "cap_kw": None,
        "invite_kw": _kilo(invitation.invite_w) if invitation else 0,
        "reason": reason,
        "best_effort": True,
        "ci_g_kwh": _kilo(invitation.intensity_mg_per_kwh) if invitation else None,
        "fallback": {"after_s": FALLBACK_AFTER_S, "cap_kw": None},
    }
    return json.dumps(body, separators=(",", ":")).encode()


class BudgetBoard:
    """Decides when a message is due: on start (nothing is offered), on each change of power, and to renew."""

    def __init__(self, site: str, cluster: str) -> None:
        self._site = site
        self._cluster = cluster
        self._count = 0
        self._sent_w: int | None = None
        self._sent_mono_ms = 0

    def poll(self, invitation: Invitation | None, mono_ms: int, wall_ms: int) -> BudgetMessage | None:
        """The message to publish now, or None. Call once a second."""
        invite_w = invitation.invite_w if invitation else 0
        renew = invite_w > 0 and mono_ms - self._sent_mono_ms >= RENEW_MS
        if invite_w == self._sent_w and not renew:
            return None
        self._sent_w, self._sent_mono_ms = invite_w, mono_ms
        self._count += 1
        name = f"{self._site}/{self._cluster}/{wall_ms}/{self._count}"  # the same run gives the same ids: replayable
        message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:tidewatt:{name}"))
        payload = render_budget(invitation if invite_w else None, message_id=message_id, wall_ms=wall_ms)
        return BudgetMessage(budget_topic(self._cluster), payload)
