"""The rules of the lanes without a network: pace, requests, events, suspects, and where each number stands."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cloud.codec import Ack
from edge.cloud.lanes.again import PER_MINUTE_COUNT, Replays
from edge.cloud.lanes.events import EventLane
from edge.cloud.lanes.pace import Pace
from edge.cloud.lanes.standing import Standing
from edge.cloud.lanes.suspects import CUTS_MAX_COUNT, SOON_MS, Suspects
from edge.cloud.notices import Caps, NumberedEvent, Replay, decode_events
from edge.model import Event
from edge.store.cursor import CursorFile, Position


def test_the_pace_keeps_batches_and_bytes_and_the_caps_only_lower_it() -> None:
    def batches_in(seconds: int, pace: Pace, size_bytes: int) -> int:
        count = 0
        for mono_ms in range(0, seconds * 1_000, 50):
            while pace.allows(mono_ms):
                pace.note_sent(size_bytes)
                count += 1
        return count

    assert 200 <= batches_in(10, Pace(20, 10**6), 1_000) <= 221
    assert 50 <= batches_in(10, Pace(20, 10_000), 2_000) <= 56, "the bytes"
    for caps, expected in ((Caps(2, None), 22), (Caps(None, 2_000), 12), (Caps(0, None), 1), (Caps(500, 10**8), 221)):
        pace = Pace(20, 10**6)
        pace.cap(caps)
        assert batches_in(10, pace, 2_000) <= expected
    pace = Pace(20, 10**6, 60_000, draw=lambda: 0.5)
    pace.begin(0)
    assert not pace.allows(29_999) and pace.allows(30_000)


def test_requests_that_cannot_be_answered_are_refused_with_the_reason() -> None:
    replays = Replays("site", 5)
    for replay, word in (
        (Replay("a", "other", 0, 1, 2), "stream"),
        (Replay("a", "site", 6, 1, 2), "epoch"),
        (Replay("a", "site", 5, 1, 200), "newest"),
    ):
        replays.ask(replay, 100, 0)
        assert replays.results[-1].outcome == "refused" and word in replays.results[-1].reason
    for index in range(PER_MINUTE_COUNT):
        replays.ask(Replay(f"id-{index}", "site", 0, 1, 2), 100, 1_000 * index)
        assert (replays.results[-1].outcome == "accepted") == (index < 8), "eight wait"
        replays.ask(Replay("id-0", "site", 0, 1, 2), 100, 0)
        assert replays.results[-1].outcome == "refused"
    for index in range(8):
        replays.note_sent(2, 0, index + 1, 2)
        replays.note_settled(index + 1)
    assert [one.outcome for one in replays.results][-8:] == ["done"] * 8
    for index, mono_ms in enumerate((10_000, 20_000, 59_000)):
        replays.ask(Replay(f"more-{index}", "site", 0, 1, 2), 100, mono_ms)
    assert [one.outcome for one in replays.results][-3:] == ["accepted", "accepted", "refused"]
    replays.ask(Replay("late", "site", 0, 1, 2), 100, 61_000)
    assert replays.results[-1].outcome == "accepted"


# ---- events


class Fleet:
    """Takes what an event lane publishes, when it listens."""

    def __init__(self) -> None:
        self.room, self.seqs = True, list[int]()

    def publish(self, payload: bytes) -> bool:
        if self.room:
            self.seqs += [one.seq for one in decode_events(payload).events]
        return self.room


def lane_of(folder: Path, kept: list[int]) -> EventLane:
    def read(seq: int, count: int) -> list[NumberedEvent]:
        found = [NumberedEvent(one, Event(one, one, "x", ""), synced=True) for one in sorted(kept) if one > seq]
        return found[:count]

    return EventLane(read, lambda: max(kept, default=0), CursorFile(folder / "events"), 5_000)


def test_events_leave_at_once_and_the_cursor_waits_for_the_ingest(tmp_path: Path) -> None:
    kept, fleet = [1, 2, 4], Fleet()
    lane = lane_of(tmp_path, kept)
    lane.begin()
    lane.step(0, fleet.publish)
    kept.append(9)
    lane.step(100, fleet.publish)
    assert fleet.seqs == [1, 2, 4, 9] and lane.acked_seq == 0, "nobody has acked, and the new one did not wait"
    lane.take(Ack("ev", lane.epoch, 2, ()), 200)
    lane.take(Ack("ev", lane.epoch + 1, 9, ()), 200)
    lane.take(Ack("site", lane.epoch, 9, ()), 200)
    assert lane.acked_seq == 3
    lane.step(5_300, fleet.publish)
    assert fleet.seqs[4:] == [4, 9], "what is not acked comes again"
    lane.take(Ack("ev", lane.epoch, 2, ((4, 4), (9, 9))), 5_400)
    lane.keep_cursor()
    lane.step(60_000, fleet.publish)
    assert fleet.seqs[6:] == [] and lane.acked_seq == 9
    again = lane_of(tmp_path, kept)
    again.begin()
    again.step(0, fleet.publish)
    assert again.epoch == lane.epoch and fleet.seqs[6:] == []


def test_a_journal_that_was_made_anew_gets_an_epoch_of_its_own(tmp_path: Path) -> None:
    kept, fleet = list(range(1, 8)), Fleet()
    lane = lane_of(tmp_path, kept)
    lane.step(0, fleet.publish)
    lane.take(Ack("ev", lane.epoch, 7, ()), 0)
    lane.keep_cursor()
    again, fleet = lane_of(tmp_path, [1]), Fleet()
    again.step(0, fleet.publish)
    assert again.epoch != lane.epoch and fleet.seqs == [1]


@given(st.data())
def test_every_event_is_acked_in_the_end_whatever_is_lost(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kept, mono_ms = [1], 0
    lane = lane_of(tmp_path_factory.mktemp("lane"), kept)
    held: set[int] = set()
    for _ in range(data.draw(st.integers(1, 25))):
        fleet = Fleet()
        fleet.room = data.draw(st.booleans())
        kept.append(kept[-1] + data.draw(st.integers(1, 3)))
        if data.draw(st.booleans()):
            lane.begin()
        mono_ms += data.draw(st.integers(0, 20_000))
        lane.step(mono_ms, fleet.publish)
        if data.draw(st.booleans()):
            held |= set(fleet.seqs)
        if data.draw(st.booleans()):
            lane.take(Ack("ev", lane.epoch, 0, tuple((one, one) for one in sorted(held))), mono_ms)
        assert {one for one in kept if one <= lane.acked_seq} <= held, (
            "the cursor passes nothing the ingest has not got"
        )
    for _ in range(40):
        mono_ms += 300_000
        fleet = Fleet()
        lane.step(mono_ms, fleet.publish)
        held |= set(fleet.seqs)
        lane.take(Ack("ev", lane.epoch, 0, tuple((one, one) for one in sorted(held))), mono_ms)
    assert set(kept) <= held and lane.acked_seq == kept[-1]


# ---- bookkeeping


def test_a_suspect_needs_hang_ups_soon_after_it_was_sent() -> None:
    suspects = Suspects()
    for _ in range(9):
        assert not suspects.note_cut("slow", SOON_MS + 1)
    assert not suspects.is_suspect("slow")
    for _ in range(CUTS_MAX_COUNT):
        assert not suspects.is_suspect("a") and not suspects.note_cut("a", 5)
    assert suspects.is_suspect("a") and suspects.note_cut("a", 5) and not suspects.is_suspect("a")
    for _ in range(CUTS_MAX_COUNT):
        suspects.note_cut("b", 5)
    suspects.clear("b")
    assert not suspects.is_suspect("b")


@given(st.data())
def test_the_cursor_passes_only_what_is_acked_or_gone(data: st.DataObject) -> None:
    last, standing = 40, Standing(Position(7, 0, 0), 5_000)
    done: set[int] = set()
    for token in range(1, data.draw(st.integers(1, 30))):
        gap = standing.first_gap(last)
        first = data.draw(st.integers(1, last))
        until = data.draw(st.integers(first, last))
        match data.draw(st.sampled_from(["send", "ack", "gone", "park", "expire", "begin"])):
            case "send" if gap:
                standing.note_sent(token, gap[0], min(gap[0] + 4, gap[1]), token, backfill=True)
            case "ack":
                standing.take(Ack("site", 7, 0, ((first, until),)), last, token)
                done |= set(range(first, until + 1))
            case "gone" if gap:
                standing.give_up(gap[0], gap[0])
                done.add(gap[0])
            case "park" if gap:
                standing.park(gap[0], gap[0])
            case "expire":
                standing.expire(10**9)
            case "begin":
                standing.begin()
        standing.advance(1)
        assert set(range(1, standing.known.seq + 1)) <= done
        parked = {one for a, b in standing.parked for one in range(a, b + 1)}
        under_way = {one for parcel in standing.under_way.values() for one in range(parcel.first, parcel.last + 1)}
        free = set(range(1, last + 1)) - done - parked - under_way
        gap = standing.first_gap(last)
        assert gap[0] == min(free) if gap else not free
        assert standing.parked_count() == len(parked - done)
        assert standing.acked_count == len(done) - standing.gone_count
