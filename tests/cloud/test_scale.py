"""The page about scale says what the codec makes now."""

from pathlib import Path

from tests.cloud.scale import batch_bytes, rate_lines, size_lines

PAGE = Path(__file__).resolve().parents[2] / "deploy" / "cloud" / "scale.md"


def test_the_tables_of_the_page_are_those_of_the_codec() -> None:
    text = PAGE.read_text()
    assert "\n".join(size_lines()) in text and "\n".join(rate_lines()) in text, "python -m tests.cloud.scale"
    assert f"a message of {batch_bytes(1):.0f} bytes" in text
