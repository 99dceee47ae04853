"""Screenshots of the review page for the documentation, of videos that are drawn on the spot.

    python -m tests.browser.screenshots docs/screenshots [--work DIR]

The page of the demo is looked at: the pictures show nobody's footage.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.chromium import Complaints, Theme, new_page, started
from tests.browser.report import go_to, press, ready

_UPLOAD = "mixtape"
_NARROW_PX = 400
_HEIGHT_PX = 540
_NUM_STEPS = 3
_CLIPS_SHOWN = "() => [...document.querySelectorAll('video')].every((clip) => clip.readyState >= 2)"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--work", type=Path, help="keep the demo here")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vcd-") as temporary:
        page_path = _report((arguments.work or Path(temporary)).resolve())
        with started() as browser:
            _take_all(browser, page_path, arguments.out)
    return 0


def _report(work: Path) -> Path:
    """Make the demo, which ends with the page; from its own folder, which the page then names."""
    if not (work / "demo" / "review").exists():
        subprocess.run([sys.executable, "-m", "pipelines.cli", "demo"], check=True, cwd=work)
    return work / "demo" / "review" / "index.html"


def _take_all(browser: Browser, page_path: Path, out: Path) -> None:
    themes: tuple[Theme, ...] = ("light", "dark")
    for theme in themes:
        _take(new_page(browser, theme=theme, height_px=_HEIGHT_PX), page_path, out, theme)
    narrow = new_page(browser, width_px=_NARROW_PX, height_px=_HEIGHT_PX)
    _take(narrow, page_path, out, f"{_NARROW_PX}px")


def _take(page: Page, page_path: Path, out: Path, name: str) -> None:
    """Decide on one match, as a reader would have, and look at it and at the overview."""
    complaints = Complaints()
    complaints.watch(page.context)
    page.goto(page_path.as_uri())
    go_to(ready(page), _UPLOAD)
    press(page, "1", *["n"] * _NUM_STEPS)
    page.wait_for_function(_CLIPS_SHOWN)
    _save(page.screenshot(full_page=True), out / f"review_upload_{name}.png")
    press(page, "Escape")
    ready(page)
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    _save(page.screenshot(), out / f"review_overview_{name}.png")
    page.context.close()
    if complaints.sentences:
        raise RuntimeError(f"the page complains: {complaints.sentences}")


def _save(picture: bytes, path: Path) -> None:
    """Keep 256 colours: a third of the bytes, and hardly to be told from all of them."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
