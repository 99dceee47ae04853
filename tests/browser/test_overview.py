"""The overview of uploads sorts, filters and searches, by pointer and by keyboard."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.report import hook, names, press, ready, row_of, shown_as, texts
from tests.browser.stories import STORIES, Story

pytestmark = pytest.mark.browser

TALL_PX = 1000
STORY_OF = {shown_as(story.query_id): story for story in STORIES}


def _copied_s(story: Story) -> float:
    return sum(copied.query[1] - copied.query[0] for copied in story.copied)


def _skipped_s(story: Story) -> float:
    return sum(end_s - start_s for start_s, end_s, _ in story.skipped)


def _score(story: Story) -> float | None:
    return story.copied[0].score if story.copied else None


def _verdict(story: Story) -> str:
    return "refused" if story.refused else "match" if story.copied else "none"


KEYS: dict[str, Callable[[Story], Any]] = {
    "score": _score,
    "matches": lambda story: len(story.copied),
    "copied": _copied_s,
    "unseen": lambda story: math.inf if story.refused else _skipped_s(story),
}
"""What the rows are ordered by; None comes last, whichever way."""

WORDS = {
    "name": (
        ["broken", "garden", "half", "holiday", "medley", "poster"],
        ["poster", "medley", "holiday", "half", "garden", "broken"],
    ),
    "refs": (["holiday", "medley", "poster"], ["poster", "holiday", "medley"]),
    "hints": (["holiday", "medley"], ["medley", "holiday"]),
}
"""Uploads in the order of a column of words, rising and falling; equals keep their order."""


def _sorted_by(page, column: str, direction: str) -> list[str]:
    """Sort and return the names in the order of the rows."""
    heading = page.locator("th", has=hook(page, f"sort-{column}"))
    for _ in range(2):
        hook(page, f"sort-{column}").click()
        if heading.get_attribute("aria-sort") == direction:
            return names(page)
    raise AssertionError(f"{column} does not sort {direction}")


def test_it_opens_from_the_file_system_and_shows_every_upload(open_page, report):
    page = ready(open_page(report, height_px=TALL_PX))

    assert page.url.startswith("file://")
    assert sorted(names(page)) == sorted(STORY_OF)


@pytest.mark.parametrize("column", KEYS)
def test_a_column_sorts_its_values_both_ways(open_page, report, column):
    page = ready(open_page(report, height_px=TALL_PX))

    for direction in ("ascending", "descending"):
        keys = [KEYS[column](STORY_OF[name]) for name in _sorted_by(page, column, direction)]
        known = [key for key in keys if key is not None]
        assert keys == known + [None] * (len(keys) - len(known))
        assert known == sorted(known, reverse=direction == "descending")
        assert len(set(known)) > 1


@pytest.mark.parametrize("column", WORDS)
def test_a_column_of_words_sorts_as_words_do(open_page, report, column):
    page = ready(open_page(report, height_px=TALL_PX))
    rising, falling = WORDS[column]

    up = [name for name in _sorted_by(page, column, "ascending") if name in rising]
    down = [name for name in _sorted_by(page, column, "descending") if name in rising]

    assert (up, down) == (rising, falling)


def test_verdicts_sort_into_groups(open_page, report):
    page = ready(open_page(report, height_px=TALL_PX))

    rising = [_verdict(STORY_OF[name]) for name in _sorted_by(page, "verdict", "ascending")]
    falling = [_verdict(STORY_OF[name]) for name in _sorted_by(page, "verdict", "descending")]

    assert list(dict.fromkeys(rising)) == list(dict.fromkeys(falling))[::-1]
    assert len(list(itertools.groupby(rising))) == 3


def test_only_the_column_that_sorts_says_so(open_page, report):
    page = ready(open_page(report))

    _sorted_by(page, "matches", "descending")

    sorting = page.locator("th[aria-sort='ascending'], th[aria-sort='descending']")
    assert sorting.count() == 1


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("match", lambda story: bool(story.copied)),
        ("none", lambda story: not story.copied and not story.refused),
        ("refused", lambda story: bool(story.refused)),
        ("partial", lambda story: bool(story.skipped)),
        ("undecided", lambda story: bool(story.copied)),
        ("all", lambda story: True),
    ],
)
def test_a_filter_leaves_what_belongs(open_page, report, name, belongs):
    page = ready(open_page(report, height_px=TALL_PX))

    hook(page, f"filter-{name}").click()

    assert sorted(names(page)) == sorted(key for key in STORY_OF if belongs(STORY_OF[key]))
    assert hook(page, f"filter-{name}").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("medl", {"medley"}),
        ("HARBOUR", {"holiday", "medley"}),
        ("passwd", {"../../etc/passwd", shown_as("invoice\u202egpj.exe\u2066right\u200fleft")}),
        ("no such upload", set()),
    ],
    ids=["part of a name", "a reference, in capitals", "a hostile name", "nothing"],
)
def test_a_search_finds_uploads_by_name_and_by_reference(open_page, report, words, found):
    page = ready(open_page(report, height_px=TALL_PX))

    hook(page, "search").fill(words)
    page.wait_for_function(
        "(n) => document.querySelectorAll('[data-testid=row]').length === n", arg=len(found)
    )

    assert set(names(page)) == found
    assert hook(page, "no-rows").is_visible() == (not found)


def test_filter_and_search_narrow_together_and_sorting_keeps_them(open_page, report):
    page = ready(open_page(report, height_px=TALL_PX))

    hook(page, "filter-match").click()
    hook(page, "search").fill("tower")

    assert set(_sorted_by(page, "score", "descending")) == {"medley", "poster"}


def test_rows_are_walked_and_opened_by_keyboard(open_page, report):
    page = ready(open_page(report, height_px=TALL_PX))
    third = names(page)[2]

    press(page, "j", "j", "j", "j", "k", "Enter")
    ready(page, "upload")

    assert texts(page, "upload-name") == [third]


def test_the_way_back_leads_to_the_row_that_was_open(open_page, report):
    page = ready(open_page(report, height_px=TALL_PX))
    press(page, "j", "j", "Enter")
    ready(page, "upload")

    press(page, "Escape")
    ready(page, "overview")

    assert row_of(page, names(page)[1]).get_attribute("aria-current") is not None


def test_a_slash_leads_into_the_search_and_letters_there_are_letters(open_page, report):
    page = ready(open_page(report, height_px=TALL_PX))

    press(page, "/", "j", "k")

    assert hook(page, "search").input_value() == "jk"


def test_what_was_not_looked_at_is_never_called_no_match(open_page, report):
    page = ready(open_page(report, height_px=TALL_PX))

    said = {
        name: hook(row_of(page, name), "row-verdict").inner_text() for name in ("broken", "half")
    }

    assert "no match" not in said["broken"].lower()
    assert hook(row_of(page, "half"), "row-unseen").inner_text().strip() not in ("", "-")
