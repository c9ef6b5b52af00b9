"""The rule and the invitation: tables in virtual time; it never flickers and never asks blindly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.options import Rule
from edge.plan.invite import RENEW_MS, BudgetBoard, Invitation
from edge.plan.rule import DWELL_MS, RuleInput, RuleState, choose_request
from edge.plan.signals.base import IntensityReading, SignalQuality

RULE = Rule(load_surge_w=10_000, discharge_w=5_000, charge_w=4_000, invite_w=20_500)


def look(
    mono_ms: int,
    grams: int | None,
    load_w: int | None = 12_000,
    soc_cpct: int | None = 5_000,
    quality: SignalQuality = "measured",
) -> RuleInput:
    value = None if grams is None else grams * 1000
    return RuleInput(mono_ms, IntensityReading(value, 0, quality, "test"), load_w, soc_cpct)


TABLE = [
    (look(0, 420), 5_000, 0, "discharge 5.0 kW: 420 g/kWh is high and the IT load 12.0 kW surges"),
    (look(0, 420, load_w=9_000), None, 0, "idle: 420 g/kWh is high, the IT load 9.0 kW does not surge"),
    (look(0, 420, load_w=None), None, 0, "idle: 420 g/kWh is high, but the IT load is unknown"),
    (look(0, 300), None, 0, "idle: 300 g/kWh is between low and high"),
    (look(0, 200), -4_000, 20_500, "charge 4.0 kW: 200 g/kWh is low"),
    (look(0, 200, soc_cpct=9_000), None, 20_500, "clean: 200 g/kWh is low; no power, SOC 90.0 % is full enough"),
    (look(0, 420, soc_cpct=2_000), None, 0, "surge: 420 g/kWh is high and the IT load 12.0 kW surges; no power, SOC 2"),
    (look(0, 420, soc_cpct=None), None, 0, "surge: 420 g/kWh is high and the IT load 12.0 kW surges; no power, SOC u"),
    (look(0, None), None, 0, "idle: grid intensity unknown"),
    (look(0, 420, quality="stale"), None, 0, "idle: grid intensity stale"),
    (look(0, 420, quality="substituted"), None, 0, "idle: grid intensity substituted"),
    (look(0, 200, quality="default"), None, 0, "idle: grid intensity default"),
    (look(0, 200, quality="estimated_by_source"), -4_000, 20_500, "charge 4.0 kW: 200 g/kWh is low"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "power_w", "invite_w", "text"), TABLE)
def test_what_the_rule_asks_for(seen: RuleInput, power_w: int | None, invite_w: int, text: str) -> None:
    choice = choose_request(RULE, RuleState(), seen)
    assert (choice.request.power_w if choice.request else None) == power_w
    assert (choice.invitation.invite_w if choice.invitation else 0) == invite_w
    assert choice.text.startswith(text)
    if choice.request:
        assert (choice.request.source, choice.request.kind) == ("rule", "power")
        assert choice.request.expires_mono_ms == RULE.lease_ms


def test_a_disabled_rule_is_idle() -> None:
    choice = choose_request(Rule(enabled=False, charge_w=5), RuleState(), look(0, 1))
    assert (choice.request, choice.invitation, choice.text) == (None, None, "idle: rule disabled")


def test_without_a_surge_mark_the_intensity_alone_decides() -> None:
    choice = choose_request(Rule(discharge_w=5), RuleState(), look(0, 420, load_w=None))
    assert choice.request and choice.request.power_w == 5


def test_a_phase_stays_for_its_dwell_but_ends_at_once_when_the_signal_or_the_load_is_lost() -> None:
    state = choose_request(RULE, RuleState(), look(0, 420)).state
    for mono_ms in (1_000, DWELL_MS - 1):
        choice = choose_request(RULE, state, look(mono_ms, 300))
        assert choice.request and choice.state.phase == "surge" and "minimum time" in choice.text
    assert choose_request(RULE, state, look(DWELL_MS, 300)).state.phase == "idle"
    assert choose_request(RULE, state, look(1_000, None)).state.phase == "idle"
    assert choose_request(RULE, state, look(1_000, 420, load_w=None)).state.phase == "idle"


def test_marks_have_hysteresis() -> None:
    state = RuleState("surge", 0)
    assert choose_request(RULE, state, look(DWELL_MS, 381, load_w=9_501)).state.phase == "surge"
    assert choose_request(RULE, state, look(DWELL_MS, 379)).state.phase == "idle"
    assert choose_request(RULE, state, look(DWELL_MS, 420, load_w=9_500)).state.phase == "idle"
    clean = RuleState("clean", 0)
    assert choose_request(RULE, clean, look(DWELL_MS, 262)).state.phase == "clean"
    assert choose_request(RULE, clean, look(DWELL_MS, 263)).state.phase == "idle"


def test_the_soc_has_hysteresis() -> None:
    choice = choose_request(RULE, RuleState("surge", 0), look(1, 420, soc_cpct=2_000))
    assert choose_request(RULE, choice.state, look(2, 420, soc_cpct=2_200)).request is None
    assert choose_request(RULE, choice.state, look(2, 420, soc_cpct=2_201)).request is not None


GRAMS = st.one_of(st.none(), st.integers(0, 2_000))
WATTS = st.one_of(st.none(), st.integers(0, 20_000))


@given(st.lists(st.tuples(GRAMS, WATTS, st.one_of(st.none(), st.integers(0, 10_000))), max_size=100))
def test_it_never_turns_within_the_dwell_and_never_asks_blindly(
    seconds: list[tuple[int | None, int | None, int | None]],
) -> None:
    state, changed_ms = RuleState(), None
    for index, (grams, load_w, soc_cpct) in enumerate(seconds):
        mono_ms = index * 1_700
        choice = choose_request(RULE, state, look(mono_ms, grams, load_w, soc_cpct))
        if choice.state.phase != state.phase:
            lost = grams is None or load_w is None
            assert changed_ms is None or mono_ms - changed_ms >= DWELL_MS or lost
            changed_ms = mono_ms
        if choice.request:
            assert grams is not None and soc_cpct is not None
            assert choice.request.power_w in (5_000, -4_000)
        if choice.invitation:
            assert choice.state.phase == "clean"
        state = choice.state


def test_an_invitation_is_sent_renewed_and_withdrawn_and_always_expires() -> None:
    board = BudgetBoard("gw-1", "main")
    invitation = Invitation(20_500, 200_000)
    wall_ms = 1_625_097_600_000
    first = board.poll(None, 0, wall_ms)
    assert first and json.loads(first.payload)["invite_kw"] == 0
    assert board.poll(None, 10**7, wall_ms) is None
    message = board.poll(invitation, 1_000, wall_ms)
    assert message and message.topic == "compute/main/budget"
    body = json.loads(message.payload)
    assert body.pop("id")
    assert body == {
        "schema": "compute-budget/1",
        "issued": "2021-07-01T00:00:00Z",
        "valid_from": "2021-07-01T00:00:00Z",
        "valid_until": "2021-07-01T00:15:00Z",
        "cap_kw": None,
        "invite_kw": 20.5,
        "reason": "carbon_low",
        "best_effort": True,
        "ci_g_kwh": 200,
        "fallback": {"after_s": 300, "cap_kw": None},
    }
    assert board.poll(invitation, 2_000, wall_ms) is None
    renewed = board.poll(invitation, 1_000 + RENEW_MS, wall_ms)
    assert renewed and renewed.payload != message.payload
    gone = board.poll(None, 2_000 + RENEW_MS, wall_ms)
    assert gone and json.loads(gone.payload)["reason"] == "withdrawn"
