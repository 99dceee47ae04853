"""One browser for the folder, a page of its own for each test, and no complaint left unheard."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from pipelines import review
from tests.browser.chromium import Complaints, NoBrowserError, new_page, started
from tests.browser.fake_evidence import write_evidence
from tests.browser.stories import STORIES, Story

OpenPage = Callable[..., Page]
MakeReport = Callable[..., Path]

_BROWSER = pytest.StashKey[Browser]()


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Browser:
    """Give the browser of this folder's tests.

    It ends with the folder, not with the session: while Playwright runs, its event loop counts as
    running, and no other test could have one.
    """
    folder: pytest.Dir = request.node.getparent(pytest.Dir)
    if _BROWSER not in folder.stash:
        stack = ExitStack()
        try:
            folder.stash[_BROWSER] = stack.enter_context(started())
        except NoBrowserError as error:
            pytest.skip(str(error))
        folder.addfinalizer(stack.close)
    return folder.stash[_BROWSER]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def open_page(browser: Browser, complaints: Complaints) -> Iterator[OpenPage]:
    """Give ``open_page(path, **options of new_page)``; what a page complains of fails the test."""
    pages: list[Page] = []

    def at(path: Path, **options: Any) -> Page:
        pages.append(new_page(browser, **options))
        complaints.watch(pages[-1].context)
        pages[-1].goto(path.as_uri())
        return pages[-1]

    yield at
    for page in pages:
        page.context.close()
    assert complaints.sentences == []


@pytest.fixture(scope="session")
def make_report(tmp_path_factory: pytest.TempPathFactory) -> MakeReport:
    """Give ``make_report(stories, *flags)``: the page of a report, written by `vcd review`."""

    def make(stories: Iterable[Story], *flags: str) -> Path:
        folder = tmp_path_factory.mktemp("review")
        write_evidence(folder / "evidence", stories)
        review.main([str(folder / "evidence"), "--out", str(folder / "report"), *flags])
        return folder / "report" / "index.html"

    return make


@pytest.fixture(scope="session")
def report(make_report: MakeReport) -> Path:
    """Give the page of all of `tests.browser.stories.STORIES`."""
    return make_report(STORIES)
