"""Names from outside appear as text, whatever they are made of."""

import pytest

from tests.browser.report import box_of, go_to, hook, names, ready, row_of, shown_as, text_of, texts
from tests.browser.stories import HOSTILE

pytestmark = pytest.mark.browser

INJECTED = "() => document.querySelectorAll('img, svg[onload], iframe, object, [onerror]').length"


def test_hostile_names_are_text_in_the_overview(open_page, report):
    page = ready(open_page(report, height_px=1000))

    assert {shown_as(name) for name in HOSTILE} <= set(names(page))
    assert "owned" not in page.title()
    assert page.evaluate(INJECTED) == 0


def test_hostile_names_are_text_on_the_pages_of_their_uploads(open_page, report):
    page = ready(open_page(report, height_px=1000))

    for name, ref in zip(HOSTILE, reversed(HOSTILE), strict=True):
        go_to(page, shown_as(name))
        assert texts(page, "upload-name") == [shown_as(name)]
        assert shown_as(ref) in text_of(hook(page, "sentence"))
        assert shown_as(name) in text_of(hook(page, "rejected"))
        assert page.evaluate(INJECTED) == 0
        hook(page, "home").click()
        ready(page)
    assert "owned" not in page.title()


def test_a_name_that_turns_around_does_not_turn_its_row(open_page, report):
    page = ready(open_page(report, height_px=1000))
    turned, plain = row_of(page, shown_as(HOSTILE[4])), row_of(page, "garden")

    lefts = [
        [box_of(hook(row, f"row-{cell}"))["x"] for cell in ("verdict", "score", "copied")]
        for row in (turned, plain)
    ]

    assert lefts[0] == lefts[1]
    assert turned.evaluate("(row) => getComputedStyle(row).direction") == "ltr"


def test_a_name_of_300_characters_does_not_widen_the_page(open_page, report):
    page = ready(open_page(report, height_px=1000))

    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("words", ["<img", "</script", "{{", "\u202e", "__proto__"])
def test_hostile_words_can_be_searched_for(open_page, report, words):
    page = ready(open_page(report, height_px=1000))

    hook(page, "search").fill(words)
    page.wait_for_timeout(300)

    found = [name for name in HOSTILE if words in name]
    assert {shown_as(name) for name in found} <= set(names(page))
    assert len(names(page)) < len(HOSTILE)
