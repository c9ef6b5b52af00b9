"""Energy registers: what an interval's ends say, also when a register goes back."""

from edge.carbon.interval import RegisterSpan
from edge.carbon.registers import RegisterBook
from edge.model import RegisterValue

ROLE = "meter.energy_import"


def spans(book: RegisterBook, *values_wh: int) -> tuple[RegisterSpan, ...]:
    for value in values_wh:
        book.note([RegisterValue("poc", ROLE, value)])
    return book.close()


def test_a_span_begins_where_the_one_before_ended() -> None:
    book = RegisterBook()
    assert spans(book, 1_000, 1_250) == (RegisterSpan("poc", ROLE, 1_000, 1_250, 250, "measured"),)
    assert spans(book) == (RegisterSpan("poc", ROLE, 1_250, 1_250, 0, "measured"),)
    assert spans(book, 2_000)[0].delta_wh == 750


def test_a_register_that_begins_again_rolls_over_only_where_that_is_stated_and_near() -> None:
    stated = RegisterBook({"poc": 1_000_000})
    spans(stated, 999_900)
    rolled = spans(stated, 150)[0]
    assert (rolled.delta_wh, rolled.quality, rolled.reason.split()[0]) == (250, "measured", "rollover")
    spans(stated, 500_000)
    assert spans(stated, 100)[0].delta_wh is None  # half way: exchanged, not rolled over
    unknown = RegisterBook()
    spans(unknown, 999_900)
    gone_back = spans(unknown, 150)[0]
    assert (gone_back.delta_wh, gone_back.quality, gone_back.reason.split()[0]) == (None, "estimated", "exchange")


def test_secondary_registers_are_scaled_and_a_restart_goes_on() -> None:
    book = RegisterBook(ratio={"poc": (400, 5)})
    spans(book, 100)
    again = RegisterBook(ratio={"poc": (400, 5)})
    again.resume(book.freeze_state())
    assert spans(again, 110) == (RegisterSpan("poc", ROLE, 100, 110, 800, "measured"),)


def test_an_interval_over_a_restart_ends_at_what_was_read_before_it() -> None:
    """What the meter counted while nobody looked is not the next interval's: that begins with its own first reading."""
    book = RegisterBook()
    book.note([RegisterValue("poc", "meter.energy_import", 100)])
    book.note([RegisterValue("poc", "meter.energy_import", 140)])
    again = RegisterBook()
    again.resume(book.freeze_state())
    (ended,) = again.close()
    assert (ended.start_wh, ended.stop_wh, ended.delta_wh) == (100, 140, 40)
    again.note([RegisterValue("poc", "meter.energy_import", 900)])
    again.note([RegisterValue("poc", "meter.energy_import", 930)])
    (after,) = again.close()
    assert (after.start_wh, after.stop_wh) == (900, 930)
