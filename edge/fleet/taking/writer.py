"""The thread that writes into the book, one job at a time, so that a database that hangs never stops the network.

While it writes, the worker goes on decoding: the database waits release the interpreter. A fault is a value here; the
job then comes back to whoever gave it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from edge.fleet.books.book import Book, BookFault, Committed, Taken


@dataclass(frozen=True, slots=True)
class Job:
    """What one commit stores."""

    taken: Sequence[Taken]
    schemas: Mapping[str, str]

    @property
    def sample_count(self) -> int:
        return sum(batch.count for _, batch in self.taken)


@dataclass(frozen=True, slots=True)
class Written:
    """How a job ended: `committed`, or None and the fault."""

    job: Job
    committed: Committed | None
    fault: str = ""


class Writer:
    """`give` a job when `idle`, `poll` for its end. The book is opened in the thread, again after it could not be."""

    def __init__(self, open_book: Callable[[], Book]) -> None:
        self._open, self._book = open_book, list[Book]()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[Written] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="book", daemon=True)
        self._thread.start()
        self.idle = True

    def give(self, job: Job) -> None:
        assert self.idle
        self.idle = False
        self._jobs.put(job)

    def poll(self, wait_s: float = 0.0) -> Written | None:
        """The end of the job, or None while it runs."""
        if self.idle:
            return None
        try:
            done = self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait()
        except Empty:
            assert self._thread.is_alive(), "the book's thread ended by a fault of its own"
            return None
        self.idle = True
        return done

    def close(self, wait_s: float) -> None:
        """After the job that is under way, or without it when the database hangs."""
        self._jobs.put(None)
        self._thread.join(wait_s)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._done.put(self._write(job))
        for book in self._book:
            book.close()

    def _write(self, job: Job) -> Written:
        try:
            if not self._book:
                self._book.append(self._open())
            return Written(job, self._book[0].commit(job.taken, job.schemas))
        except BookFault as fault:
            return Written(job, None, str(fault))
