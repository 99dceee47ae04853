"""How quickly a report of many uploads opens, scrolls, sorts and filters, in headless Chromium.

    python -m benchmarks.bench_review --work DIR [--uploads 5000] [--contexts 9]

Uploads are made to order (`tests.browser.stories.many_stories`): 3 of 10 copy, 1 of 30 is refused.
Every opening is in a browser context of its own, so that nothing is cached but by the kernel. The
overview counts as usable when the page says that it is complete and the frame after that has
begun. Scrolling goes from top to end, so far at each frame that it takes about 400 frames.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page

from pipelines import review
from tests.browser.chromium import new_page, started
from tests.browser.fake_evidence import write_evidence
from tests.browser.report import ready
from tests.browser.stories import many_stories

NUM_SCROLL_FRAMES = 400
LONG_FRAME_MS = 50

WATCH_READY = """
new MutationObserver((_, observer) => {
  if (!document.documentElement?.hasAttribute("data-ready")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.usableAt = performance.now())));
}).observe(document, { attributes: true, subtree: true, childList: true });
"""

SCROLL = """(numFrames) => new Promise((resolve) => {
  const times = [];
  const end = document.documentElement.scrollHeight - innerHeight;
  const step = (now) => {
    times.push(now);
    scrollTo(0, (end * times.length) / numFrames);
    if (times.length <= numFrames) requestAnimationFrame(step);
    else {
      const rows = document.querySelectorAll("[data-testid=row]").length;
      resolve({ times, end, at: scrollY, rows });
    }
  };
  requestAnimationFrame(step);
})"""

ACT = """(act) => new Promise((resolve) => {
  const byTest = (name) => document.querySelector(`[data-testid="${name}"]`);
  const before = byTest("rows").textContent;
  const start = performance.now();
  if (act.type === undefined) byTest(act.hook).click();
  else {
    byTest(act.hook).value = act.type;
    byTest(act.hook).dispatchEvent(new Event("input", { bubbles: true }));
  }
  const look = () => {
    const waits = byTest("rows").textContent === before && performance.now() - start < 3000;
    if (waits) requestAnimationFrame(look);
    else requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
  };
  look();
})"""

ACTS = {
    "sort by seconds copied": {"hook": "sort-copied"},
    "sort by name": {"hook": "sort-name"},
    "filter: a match": {"hook": "filter-match"},
    "search": {"hook": "search", "type": "film-12"},
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--uploads", type=int, default=5000)
    parser.add_argument("--contexts", type=int, default=9)
    arguments = parser.parse_args(argv)
    out, made_s = make_report(arguments.work, arguments.uploads)
    page_path = out / "index.html"
    with started() as browser:
        opened = [open_once(browser, page_path) for _ in range(arguments.contexts)]
        print(
            json.dumps(
                {
                    "uploads": arguments.uploads,
                    "chromium": browser.version,
                    "made_s": round(made_s, 1),
                    **sizes(out, arguments.uploads),
                    "usable_ms": spread(opened),
                    "scroll": scroll(browser, page_path),
                    "acts_ms": acts(browser, page_path),
                },
                indent=1,
            )
        )
    return 0


def make_report(work: Path, num_uploads: int) -> tuple[Path, float]:
    evidence = work / f"evidence-{num_uploads}"
    if not evidence.exists():
        write_evidence(evidence, many_stories(num_uploads))
    out = work / f"report-{num_uploads}"
    started_s = time.monotonic()
    review.main([str(evidence), "--out", str(out)])
    return out, time.monotonic() - started_s


def sizes(out: Path, num_uploads: int) -> dict[str, float]:
    page_bytes = (out / "index.html").stat().st_size
    all_bytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {
        "overview_bytes_an_upload": round(page_bytes / num_uploads, 1),
        "details_bytes_an_upload": round((all_bytes - page_bytes) / num_uploads, 1),
    }


def fresh(browser: Browser, path: Path) -> Page:
    page = new_page(browser)
    page.add_init_script(WATCH_READY)
    page.goto(path.as_uri())
    page.wait_for_function("() => window.usableAt !== undefined")
    return ready(page)


def open_once(browser: Browser, path: Path) -> float:
    page = fresh(browser, path)
    usable_ms = float(page.evaluate("window.usableAt"))
    page.context.close()
    return usable_ms


def scroll(browser: Browser, path: Path) -> dict[str, float]:
    page = fresh(browser, path)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before_s = busy_s(session)
    seen = page.evaluate(SCROLL, NUM_SCROLL_FRAMES)
    spent_s = busy_s(session) - before_s
    page.context.close()
    if seen["at"] < seen["end"] - 1 or not seen["rows"]:
        raise RuntimeError(f"wanted to see the end of the list, got {seen['at']} of {seen['end']}")
    times = seen["times"]
    frames = [later - earlier for earlier, later in pairwise(times)]
    return {
        "height_px": seen["end"],
        "rows_in_the_page": seen["rows"],
        "num_frames": len(frames),
        "median_ms": round(statistics.median(frames), 1),
        "longest_ms": round(max(frames), 1),
        "main_thread_ms_a_frame": round(1000 * spent_s / len(frames), 1),
        "share_over_50_ms": sum(frame > LONG_FRAME_MS for frame in frames) / len(frames),
    }


def busy_s(session: CDPSession) -> float:
    """Read how long the main thread of a page has computed, whoever else used the processor."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")


def acts(browser: Browser, path: Path) -> dict[str, dict[str, float]]:
    taken: dict[str, list[float]] = {name: [] for name in ACTS}
    for _ in range(5):
        page = fresh(browser, path)
        for name, act in ACTS.items():
            taken[name].append(float(page.evaluate(ACT, act)))
        page.context.close()
    return {name: spread(times) for name, times in taken.items()}


def spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 1),
        "min": round(min(values), 1),
        "max": round(max(values), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
