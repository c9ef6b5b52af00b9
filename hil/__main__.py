"""The words of the simulator: `day`, `list`, `run`. Each ends with 0 when what it played was as it must be, else 1."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from hil.day.image import OVER_MAX_S, ImageDay, default_day
from hil.day.intensity import SeededIntensity
from hil.day.story import tell
from hil.day.wire import WIRE_OVER_MAX_S, WireDay, default_wire_day
from hil.invariants.watch import Watch
from hil.scenario.command import add_words


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `python -m hil`."""
    parser = argparse.ArgumentParser(prog="python -m hil", description="a site that does not exist")
    words = parser.add_subparsers(required=True, metavar="WORD")
    day = words.add_parser("day", help="24 h of the example site, told on one screen")
    day.add_argument("--seconds", type=int, default=86_400)
    day.add_argument("--seed", type=int, default=1)
    day.add_argument("--level", choices=("image", "wire"), default="image", help="wire: every frame of every device")
    day.set_defaults(act=_day)
    add_words(words)
    options = parser.parse_args(argv)
    return int(options.act(options))


def _day(options: argparse.Namespace) -> int:
    signal = SeededIntensity(options.seed)
    started_s = time.process_time()
    day: ImageDay | WireDay
    if options.level == "wire":
        day, over_max_s = default_wire_day(options.seed, signal), WIRE_OVER_MAX_S
    else:
        day, over_max_s = default_day(options.seed), OVER_MAX_S
        day.mission.signal = signal
    watch = day.watch = Watch(day.config)
    story = day.run(options.seconds)
    print("\n".join(tell(day, time.process_time() - started_s)))
    return 1 if story.over_longest_s > over_max_s or any(watch.breaches.values()) else 0


if __name__ == "__main__":
    try:
        code = main()
    except BrokenPipeError:  # who read our output has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
