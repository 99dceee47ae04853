"""The report can be read in the dark, in the light, on a narrow screen, and by everybody."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.report import go_to, hook, ready, text_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NARROW_PX = 400
LUMINANCE = """() => {
  const colour = getComputedStyle(document.body).backgroundColor;
  const [red, green, blue] = colour.match(/[0-9.]+/g).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}"""
OVERHANG_PX = "() => document.documentElement.scrollWidth - innerWidth"


def _view(page, view: str):
    ready(page)
    return page if view == "overview" else go_to(page, view)


@pytest.mark.parametrize("width_px", [1280, NARROW_PX])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["overview", "medley"])
def test_axe_finds_nothing(open_page, report, view, theme, width_px):
    page = _view(open_page(report, theme=theme, width_px=width_px), view)

    found = Axe().run(page).response["violations"]

    assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in found] == []


@pytest.mark.parametrize("name", ["decisions", "keys"])
def test_axe_finds_nothing_in_a_dialog(open_page, report, name):
    page = _view(open_page(report), "holiday")
    hook(page, f"open-{name}").click()
    dialog = hook(page, f"{name}-dialog")
    dialog.wait_for()

    found = Axe().run(page).response["violations"]

    assert [(rule["id"], rule["impact"], rule["nodes"][0]["html"]) for rule in found] == []
    assert "[object" not in text_of(dialog)


@pytest.mark.parametrize(("theme", "is_light"), [("light", True), ("dark", False)])
def test_the_page_is_as_light_as_its_reader_likes(open_page, report, theme, is_light):
    page = ready(open_page(report, theme=theme))

    assert (page.evaluate(LUMINANCE) > 0.5) == is_light


def test_the_theme_can_be_chosen_and_stays_chosen(open_page, report):
    page = ready(open_page(report, theme="light"))
    while page.evaluate(LUMINANCE) > 0.5:
        hook(page, "theme").click()

    page.reload()
    ready(page)

    assert page.evaluate(LUMINANCE) < 0.5


@pytest.mark.parametrize("view", ["overview", "holiday", "medley", "half", "broken", "poster"])
def test_nothing_hangs_over_the_side_of_a_narrow_screen(open_page, report, view):
    page = _view(open_page(report, width_px=NARROW_PX), view)

    assert page.evaluate(OVERHANG_PX) <= 0
