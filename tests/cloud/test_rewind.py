"""A store that was put back from an old copy, or is run by two gateways: no second is thrown away as a double of another."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.cloud.codec import Ack, encode_ack
from edge.cloud.lanes import rewind
from edge.cloud.notices import decode_events
from tests.cloud.scripted import ScriptedBroker
from tests.cloud.test_lanes import TOPICS, Site, of

pytestmark = pytest.mark.hil


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker(receive_max=10, puback=0, hold=True)
    yield broker
    broker.close()


def run(folder: Path, broker: ScriptedBroker, count: int) -> Site:
    """A life of the gateway: so many seconds, all acknowledged, and a clean end."""
    site = Site(folder, broker.port)
    site.note(count)
    site.until(lambda: site.sync.pending_count == 0)
    return site


def end(site: Site) -> Site:
    site.sync.close()
    return site


def copied(folder: Path, *names: str) -> None:
    """Puts the copy of these back."""
    for name in names:
        path = folder / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        backup = folder / f"{name}.copy"
        shutil.copytree(backup, path) if backup.is_dir() else shutil.copy(backup, path)


def keep(folder: Path, *names: str) -> None:
    for name in names:
        path, backup = folder / name, folder / f"{name}.copy"
        shutil.copytree(path, backup) if path.is_dir() else shutil.copy(path, backup)


def seconds_of(broker: ScriptedBroker, epoch: int) -> dict[int, int]:
    """What the fleet's database has of an epoch: the first that came with a number stays."""
    held: dict[int, int] = {}
    for _, batch in broker.batches:
        for index, sample in enumerate(batch.samples if batch.epoch == epoch else ()):
            held.setdefault(batch.seq0 + index, sample.mono_ms)
    return held


def test_a_cursor_ahead_of_the_ring_begins_an_epoch_of_its_own_and_nothing_waits_or_is_written_over(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    first = end(run(tmp_path, broker, 30))
    keep(tmp_path, "ring")
    end(run(tmp_path, broker, 40))
    copied(tmp_path, "ring")
    site = Site(tmp_path, broker.port)
    assert site.log.epoch != first.log.epoch and site.log.next_seq == 1
    assert len(site.sync.notes) == 1
    for text in ("it ends with number 30, known are numbers up to 70", str(first.log.epoch), "Put back from a copy"):
        assert text in site.sync.notes[0]
    site.note(25)
    site.until(lambda: site.sync.acked_count == 25)
    assert sorted(seconds_of(broker, site.log.epoch)) == list(range(1, 26))
    assert site.sync.pending_count == 0 and site.sync.lost_count == 0
    end(site)
    again = run(tmp_path, broker, 5)
    assert again.log.epoch == site.log.epoch and again.sync.acked_count == 30 and not again.sync.notes, "once"
    end(again)


def test_a_whole_store_put_back_is_told_by_the_ack_and_what_this_run_took_is_carried_over(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    first = end(run(tmp_path, broker, 30))
    keep(tmp_path, "ring", "cursor")
    end(run(tmp_path, broker, 40))
    copied(tmp_path, "ring", "cursor")
    site = Site(tmp_path, broker.port)
    assert site.log.epoch == first.log.epoch and site.log.next_seq == 31, "nothing here shows it yet"
    site.note(25)
    taken = [sample.mono_ms for _, sample in site.sync._fresh][-1]
    site.until(lambda: site.log.epoch != first.log.epoch)
    site.until(lambda: site.sync.acked_count == 25)
    held = seconds_of(broker, site.log.epoch)
    assert sorted(held) == list(range(1, 26)) and held[25] == taken
    assert "25 of this run among them; what is older" in site.sync.notes[0]
    end(site)


def test_what_does_not_fit_into_the_hour_that_is_carried_over_is_counted(
    tmp_path: Path, broker: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewind, "CARRIED_MAX_COUNT", 10)
    end(run(tmp_path, broker, 30))
    keep(tmp_path, "ring", "cursor")
    end(run(tmp_path, broker, 40))
    copied(tmp_path, "ring", "cursor")
    site = Site(tmp_path, broker.port)
    site.note(25)
    site.until(lambda: site.sync.acked_count == 10)
    assert "10 of this run among them; 15 older ones of this run stay behind" in site.sync.notes[0]
    end(site)


def test_two_gateways_with_one_store_end_in_two_epochs(tmp_path: Path, broker: ScriptedBroker) -> None:
    end(run(tmp_path / "one", broker, 30))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one = run(tmp_path / "one", broker, 20)
    two = run(tmp_path / "two", broker, 7)
    two.until(lambda: two.log.epoch != one.log.epoch and two.sync.pending_count == 0)
    assert len(two.sync.notes) == 1
    assert len(seconds_of(broker, one.log.epoch)) == 50 and len(seconds_of(broker, two.log.epoch)) == 7
    end(one)
    end(two)


def test_events_of_a_journal_put_back_go_out_under_an_epoch_of_their_own(
    tmp_path: Path, broker: ScriptedBroker
) -> None:
    site = Site(tmp_path, broker.port)
    for name in ("a", "b"):
        site.tell(name)
    site.until(lambda: len(of(broker, TOPICS.events)) >= 1)
    epoch = site.events.epoch
    broker.send(TOPICS.ack, _ack(epoch, 9))  # the fleet has nine of it: this journal, of two, was put back
    site.until(lambda: site.events.epoch != epoch)
    site.until(lambda: decode_events(of(broker, TOPICS.events)[-1]).epoch == site.events.epoch)
    assert [one.seq for one in decode_events(of(broker, TOPICS.events)[-1]).events] == [1, 2], "all that there is"
    end(site)


def _ack(epoch: int, seq: int) -> bytes:
    return encode_ack(Ack("ev", epoch, seq, ()))
