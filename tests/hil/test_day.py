"""A short day at each level: the same site and story, once without bytes and once through every frame."""

from edge.carbon.flow import STEP_MAX_MS
from hil.day.image import MISSION_S, default_day
from hil.day.intensity import SeededIntensity
from hil.day.story import tell
from hil.day.wire import WIRE_OVER_MAX_S, WireDay, default_wire_day

SECONDS = 600


def wire_day(seconds: int = SECONDS) -> WireDay:
    day = default_wire_day(1, SeededIntensity(1))
    day.run(seconds)
    return day


def test_ten_minutes_of_frames_keep_the_limits_and_the_balances() -> None:
    day = wire_day()
    story, balance, total = day.story, day.site.balance(), day.mission.account.totals()
    assert story.seconds == SECONDS and story.mode_seconds["RUN"] > SECONDS - 15
    assert story.over_longest_s <= WIRE_OVER_MAX_S
    assert abs(balance.bus_residual_wh) < 1e-3 and abs(balance.battery_residual_wh) < 1e-3
    assert total.opening_ug + total.grid_ug == total.load_ug + total.export_ug + total.loss_ug + total.stored_ug
    assert total.load_ug > 0


def test_every_block_is_read_at_its_period_and_every_answer_is_right() -> None:
    rows = dict(wire_day().story.extra)
    for port, per_second in (("port fast", 4.9), ("port slow", 5.2)):
        words = rows[port].split()
        sent_count, right_count = int(words[0]), int(words[2])
        assert abs(sent_count / SECONDS - per_second) < 0.1, rows[port]
        assert sent_count - 1 <= right_count <= sent_count and "none failed" in rows[port]


def test_both_levels_tell_the_same_site() -> None:
    wire, image = wire_day(3_600), default_day(1)
    image.mission.signal = SeededIntensity(1)
    image.run(3_600)
    for seen, expected in zip(wire.story.hours[0][:4], image.story.hours[0][:4], strict=True):
        # A loop whose values are a poll older carries the edges of the load with the battery otherwise: 0.3 % of the load.
        assert abs(seen - expected) < 200.0, "W of an hour's mean"
    assert 1_000 * MISSION_S <= STEP_MAX_MS, "or carbon is lost"
    seen_ug, expected_ug = wire.mission.account.totals().load_ug, image.mission.account.totals().load_ug
    assert abs(seen_ug - expected_ug) < 0.02 * expected_ug
    text = "\n".join(tell(wire, 1.0))
    assert "port fast" in text and "balance exact" in text and len(text.splitlines()) < 40
