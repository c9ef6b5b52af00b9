"""What a mutant is: one small change of the kinds a person makes by mistake, found again by its text."""

from pathlib import Path

from tests.native.mutants import mutants_of
from tests.native.mutate import every_mutant, read_survivors, sampled

CODE = """#include "inner.h"
/* a < b is a comment */
static bool less(int32_t a, int32_t b)
{
    if (a < b && !tw_asked(a)) {
        return true;
    }
    b += 2;
    return false;
}
"""


def test_every_operator_word_and_number_of_the_code_is_changed_and_no_comment(tmp_path: Path) -> None:
    path = tmp_path / "less.c"
    path.write_text(CODE)
    found = {mutant.becomes.strip() for mutant in mutants_of(path)}
    assert found == {
        "if (a <= b && !tw_asked(a)) {", "if (a >= b && !tw_asked(a)) {", "if (a < b || !tw_asked(a)) {",
        "if (a < b && tw_asked(a)) {", "if (!(a < b && !tw_asked(a))) {", "return false;", "return true;",
        "b -= 2;", "b += 3;", "b += 1;", ";",
    }  # fmt: skip


def test_a_sample_is_the_same_for_its_seed_and_takes_of_all_files() -> None:
    every = [*every_mutant(False), *every_mutant(True)]
    assert sampled(every, 150, seed=1) == sampled(every, 150, seed=1) != sampled(every, 150, seed=2)
    assert len({mutant.file for mutant in sampled(every, 150, seed=1)}) > 20


def test_every_survivor_that_is_listed_is_a_mutant_and_has_a_reason() -> None:
    keys = {mutant.key for mutant in (*every_mutant(False), *every_mutant(True))}
    for key, (_, reason) in read_survivors().items():
        assert key in keys, f"no such mutant (any more): {key}"
        assert len(reason) > 10
