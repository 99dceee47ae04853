"""Pictures are blurred when the report was made so, until somebody asks to see them."""

import pytest

from tests.browser.report import go_to, hook, press, ready
from tests.browser.stories import STORIES

pytestmark = pytest.mark.browser

PICTURES = ("pair-query", "pair-ref", "clip-query", "clip-ref")
FILTER = "(element) => getComputedStyle(element).filter"


@pytest.fixture(scope="module")
def blurred_report(make_report):
    return make_report(STORIES[:2], "--blur")


def _blurs(page) -> list[bool]:
    return ["blur(" in hook(page, name).evaluate(FILTER) for name in PICTURES]


def test_pictures_are_blurred_from_the_start_when_the_report_says_so(open_page, blurred_report):
    page = go_to(ready(open_page(blurred_report)), "holiday")

    assert _blurs(page) == [True] * 4


def test_pictures_are_sharp_when_nobody_said_anything(open_page, report):
    page = go_to(ready(open_page(report)), "holiday")

    assert _blurs(page) == [False] * 4


def test_one_look_shows_the_pictures(open_page, blurred_report):
    page = go_to(ready(open_page(blurred_report)), "holiday")

    hook(hook(page, "pair"), "reveal").click()

    assert _blurs(page) == [False, False, True, True]


def test_the_next_upload_is_blurred_again(open_page, blurred_report):
    page = go_to(ready(open_page(blurred_report)), "holiday")
    hook(page, "reveal").first.click()

    press(page, "Escape")
    go_to(ready(page), "medley")

    assert _blurs(page) == [True] * 4


def test_a_key_turns_blurring_off_and_on_and_that_stays(open_page, blurred_report):
    page = go_to(ready(open_page(blurred_report)), "holiday")

    press(page, "b")
    assert _blurs(page) == [False] * 4
    page.reload()
    ready(page, "upload")

    assert _blurs(page) == [False] * 4
