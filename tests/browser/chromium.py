"""Debian's Chromium, driven; whatever a page complains of is kept to be held against it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

__all__ = ["Complaints", "NoBrowserError", "Theme", "find_chromium", "new_page", "started"]

Theme = Literal["light", "dark"]

_FLAGS = (
    "--no-sandbox",  # root, as in a container, has no other way; the pages are our own
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_OWN_SCHEMES = ("file:", "data:", "blob:", "about:")
_TIMEOUT_MS = 10_000


class NoBrowserError(Exception):
    """There is no Chromium on this machine."""


@dataclass
class Complaints:
    """What went wrong on pages of a context; nothing, when all is well."""

    sentences: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self._ask(request.url))
        context.on("requestfailed", lambda request: self._add("did not load", request.url))
        context.on("console", lambda message: self._hear(message.type, message.text))
        context.on("weberror", lambda error: self._add("page error", str(error.error)))
        context.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self._add("dialog", dialog.message)
        dialog.dismiss()

    def _ask(self, url: str) -> None:
        if not url.startswith(_OWN_SCHEMES):
            self._add("asked the network", url)

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning", "assert"):
            self._add(f"console {kind}", text)

    def _add(self, kind: str, text: str) -> None:
        self.sentences.append(f"{kind}: {text}"[:500])


def find_chromium() -> Path:
    """Say where Chromium is.

    Raises:
        NoBrowserError: nowhere.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise NoBrowserError("no Chromium on this machine (on Debian: apt install chromium)")
    return Path(found)


@contextmanager
def started() -> Iterator[Browser]:
    """Run a browser without a screen; it ends with the block.

    Raises:
        NoBrowserError: there is none.
    """
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS])
        try:
            yield browser
        finally:
            browser.close()


def new_page(
    browser: Browser,
    *,
    width_px: int = 1280,
    height_px: int = 900,
    theme: Theme = "light",
) -> Page:
    """Open an empty page that shares nothing with any other and has no network."""
    context = browser.new_context(
        viewport={"width": width_px, "height": height_px},
        color_scheme=theme,
        offline=True,
        reduced_motion="reduce",
    )
    context.set_default_timeout(_TIMEOUT_MS)
    return context.new_page()
