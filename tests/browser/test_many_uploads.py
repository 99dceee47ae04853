"""A report of thousands of uploads: only the rows in sight are in the page."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.browser.fake_evidence import record_of
from tests.browser.report import hook, names, ready
from tests.browser.stories import many_stories
from vcd.evidence.page import PageOptions, write_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NUM_UPLOADS = 5000
MAX_ROWS = 200


@pytest.fixture(scope="module")
def long_report(tmp_path_factory):
    """Write the page of records that were never on disk: ten thousand files take their time."""
    folder = tmp_path_factory.mktemp("many")
    evidence = (
        (Path(story.query_id), replace(record_of(story, folder), digest=f"{ordinal:064x}"))
        for ordinal, story in enumerate(many_stories(NUM_UPLOADS))
    )
    write_page(folder / "report", evidence, PageOptions())
    return folder / "report" / "index.html"


def test_thousands_of_uploads_open_with_few_rows_in_the_page(open_page, long_report):
    page = ready(open_page(long_report))

    assert 10 < len(names(page)) < MAX_ROWS
    assert "5,000" in hook(page, "counts").inner_text()
    assert hook(page, "table").get_attribute("aria-rowcount") in ("5000", "5001")


def test_the_last_row_is_reached_by_scrolling(open_page, long_report):
    page = ready(open_page(long_report))
    hook(page, "sort-name").click()

    page.keyboard.press("End")
    page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(100)

    assert {"upload-00000", "upload-04999"} & set(names(page))
    assert len(names(page)) < MAX_ROWS


def test_a_search_looks_through_all_of_them(open_page, long_report):
    page = ready(open_page(long_report))

    hook(page, "search").fill("upload-04321")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=row]').length === 1")

    assert names(page) == ["upload-04321"]


def test_the_details_of_an_upload_are_loaded_when_it_is_opened(open_page, long_report):
    page = ready(open_page(long_report))
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))

    hook(page, "row-name").first.click()
    ready(page, "upload")

    assert len([url for url in loaded if "/uploads/" in url]) == 1
