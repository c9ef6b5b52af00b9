"""The statement as a browser lays it out: its text is there, nothing runs out of the page, its picture can be looked at."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.carbon.evidence.kit import BODY, BODY_SHA256, WHOLE, package_of, rich

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
HEADLESS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,4600")
MEASURE = (
    "<script>document.title=document.documentElement.scrollWidth+'x'+document.documentElement.scrollHeight</script>"
)


@pytest.mark.hil
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: nobody here to lay the page out")
def test_the_page_fits_its_width_and_says_what_it_must(tmp_path: Path) -> None:
    files = package_of(rich(), WHOLE, {BODY_SHA256: BODY})
    page = tmp_path / "statement.html"
    page.write_bytes(files["statement.html"].replace(b"</body>", MEASURE.encode() + b"</body>"))
    dumped = subprocess.run(
        [CHROMIUM, *HEADLESS, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    width, height = (int(part) for part in dumped.split("<title>")[1].split("</title>")[0].split("x"))
    assert width <= 1000 and 2000 < height < 4600
    for text in (
        "Electricity and carbon statement",
        "boundary of the statement",
        "Limits and doubts",
        "SOE02",
        "D.4.3.2",
    ):
        assert text in dumped
    picture = Path(os.environ.get("STATEMENT_PNG", tmp_path / "statement.png"))
    subprocess.run(
        [CHROMIUM, *HEADLESS, f"--screenshot={picture}", page.as_uri()], capture_output=True, timeout=60, check=True
    )
    assert picture.stat().st_size > 100_000  # a blank page has a tenth
