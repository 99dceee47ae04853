"""A report as its reader handles it: rows, views, keys; hooks are listed on top of ``main.js``."""

import re

from playwright.sync_api import FloatRect, Locator, Page

__all__ = [
    "box_of",
    "go_to",
    "hook",
    "names",
    "press",
    "ready",
    "row_of",
    "shown_as",
    "text_of",
    "texts",
]

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)


def shown_as(name: str) -> str:
    """Say how a name from outside stands on the page: what cannot be seen is spelled out."""
    return _UNSEEN.sub(lambda sign: f"\u27e8U+{ord(sign[0]):04X}\u27e9", name)


def hook(page: Page | Locator, name: str) -> Locator:
    return page.locator(f'[data-testid="{name}"]')


def ready(page: Page, view: str = "overview") -> Page:
    """Wait until a view is complete."""
    page.wait_for_selector(f'html[data-view="{view}"][data-ready]')
    return page


def texts(page: Page | Locator, name: str) -> list[str]:
    """Read what every element of a hook says."""
    return hook(page, name).all_text_contents()


def text_of(locator: Locator) -> str:
    """Read what one element says, seen or not."""
    return locator.text_content() or ""


def box_of(locator: Locator) -> FloatRect:
    """Say where an element is on the screen."""
    box = locator.bounding_box()
    assert box is not None, "it is not on the screen"
    return box


def names(page: Page) -> list[str]:
    return texts(page, "row-name")


def row_of(page: Page, name: str) -> Locator:
    """Find the row of an upload by its name."""
    exact = page.locator('[data-testid="row-name"]', has_text=re.compile(f"^{re.escape(name)}$"))
    return hook(page, "row").filter(has=exact)


def go_to(page: Page, name: str) -> Page:
    """Open an upload from the overview."""
    hook(row_of(page, name), "row-name").click()
    return ready(page, "upload")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
