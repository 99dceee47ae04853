"""The page of one upload: matches and frame pairs by keyboard and by pointer, clips in step."""

import itertools

import pytest

from tests.browser.report import box_of, go_to, hook, press, ready, row_of, texts
from tests.browser.stories import STORIES

pytestmark = pytest.mark.browser

STORY_OF = {story.query_id: story for story in STORIES}
HEAT = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const isRed = (x, y) => [179, 38, 30].every(
    (part, i) => Math.abs(data[4 * (Math.round(y) * width + Math.round(x)) + i] - part) < 50);
  const [xs, ys] = [[], []];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (isRed(x, y)) { xs.push(x); ys.push(y); }
    }
  }
  const [top, bottom] = [ys.at(0), ys.at(-1)];
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  let found = 0;
  for (let i = 10; i < 90; i += 1) {
    const [x, y] = [first + ((last - first) * i) / 100, bottom - ((bottom - top) * i) / 100];
    found += [-1, 0, 1].some((off) => isRed(x + off, y));
  }
  const counts = new Map();
  for (const pixel of new Uint32Array(data.buffer)) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  return [Math.max(...counts.values()) / (width * height), found / 80];
}"""
"""Which share of the picture has one colour, and which share of the diagonal of the match's box has
the colour of line and box, in the light."""


@pytest.fixture
def opened(open_page, report):
    """Give ``opened(name)``: the page of an upload of the stories."""
    return lambda name, **options: go_to(ready(open_page(report, **options)), name)


def _shown_s(page, side: str) -> float:
    return float(hook(page, f"pair-{side}").get_attribute("data-time") or "nan")


def _on_line(name: str, query_s: float, match: int = 0) -> float:
    copied = STORY_OF[name].copied[match]
    share = (query_s - copied.query[0]) / (copied.query[1] - copied.query[0])
    return copied.ref[0] + share * (copied.ref[1] - copied.ref[0])


def test_an_upload_tells_what_was_found_in_plain_words(opened):
    page = opened("holiday")

    sentence = hook(page, "sentence").inner_text()

    assert "12.0 s to 31.5 s of the upload" in sentence
    assert "harbour" in sentence
    assert "mirrored" in hook(page, "hints").inner_text()


def test_an_upload_tells_what_was_not_reported_and_why(opened):
    page = opened("holiday")

    said = hook(page, "rejected").inner_text()

    assert "score 0.41 is below 0.45" in said
    assert "1.5 s long; 3.0 s are needed" in said


def test_an_upload_tells_what_was_not_looked_at(opened):
    page = opened("half")

    said = hook(page, "unseen").inner_text()

    assert "0.0 s to 6.0 s" in said
    assert "could not be decoded" in said


def test_a_refused_upload_says_why_and_that_nothing_was_looked_at(opened):
    page = opened("broken")

    assert "Nothing of it could be looked at" in hook(page, "verdict").inner_text()
    assert hook(page, "match").count() == 0 or not hook(page, "match").is_visible()


def test_an_upload_names_versions_and_digests(opened):
    page = opened("holiday")

    hook(page, "versions").locator("summary").click()

    said = hook(page, "versions").inner_text()
    assert "5e" * 32 in said
    assert "[object" not in said


def test_missing_pictures_are_told(opened):
    page = opened("medley")

    press(page, "j", "j")

    assert "not at the place where it was indexed" in hook(page, "missing").inner_text()


def test_an_image_has_a_page_too(opened):
    page = opened("poster")

    assert "tower" in hook(page, "sentence").inner_text()


def test_matches_are_stepped_through_by_keyboard(opened):
    page = opened("medley")
    seen = []

    for key in ("j", "j", "k"):
        press(page, key)
        seen.append(
            page.locator("[data-testid^='match-'][aria-current]").get_attribute("data-testid")
        )

    assert seen == ["match-1", "match-2", "match-1"]
    assert "tower" in hook(page, "sentence").inner_text()


def test_uploads_are_stepped_through_by_keyboard_in_the_order_of_the_overview(open_page, report):
    page = ready(open_page(report, height_px=1000))
    order = texts(page, "row-name")
    press(page, "j", "Enter")
    ready(page, "upload")
    seen = []

    for key in ("J", "J", "K"):
        before = texts(page, "upload-name")[0]
        press(page, key)
        page.wait_for_function(
            "(before) => document.querySelector('[data-testid=upload-name]').textContent !== before"
            " && document.documentElement.hasAttribute('data-ready')",
            arg=before,
        )
        seen.append(texts(page, "upload-name")[0])

    assert seen == [order[1], order[2], order[1]]


def test_frame_pairs_are_stepped_through_by_keyboard_along_the_line(opened):
    page = opened("holiday")
    shown = [(_shown_s(page, "query"), _shown_s(page, "ref"))]

    for _ in range(4):
        press(page, "n")
        shown.append((_shown_s(page, "query"), _shown_s(page, "ref")))
    press(page, "p")

    assert all(earlier < later for earlier, later in itertools.pairwise(shown))
    assert (_shown_s(page, "query"), _shown_s(page, "ref")) == shown[-2]
    for query_s, ref_s in shown:
        assert ref_s == pytest.approx(_on_line("holiday", query_s), abs=0.15)


def test_another_pair_is_another_picture(opened):
    page = opened("holiday")
    before = [hook(page, f"pair-{side}").screenshot() for side in ("query", "ref")]

    press(page, "n", "n", "n")

    after = [hook(page, f"pair-{side}").screenshot() for side in ("query", "ref")]
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize(
    ("place", "shares"),
    [("heat", (0.4, 0.5, 0.6)), ("strip", (0.4, 0.5, 0.6)), ("lane-query", (0.3, 0.4, 0.5))],
)
def test_the_frame_pair_follows_the_pointer(opened, place, shares):
    page = opened("holiday", height_px=1600)
    box = box_of(hook(page, place))
    shown = []

    for share in shares:
        before = _shown_s(page, "query")
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        page.wait_for_function(
            "(before) => Number(document.querySelector('[data-testid=pair-query]').dataset.time)"
            " !== before",
            arg=before,
        )
        shown.append((_shown_s(page, "query"), _shown_s(page, "ref")))

    assert shown[0] < shown[1] < shown[2]
    for query_s, ref_s in shown:
        assert ref_s == pytest.approx(_on_line("holiday", query_s), abs=0.15)


def test_the_slider_moves_the_frame_pair_by_arrow_keys(opened):
    page = opened("holiday")
    hook(page, "position").focus()
    before = _shown_s(page, "query")

    press(page, *["ArrowRight"] * 40)

    assert _shown_s(page, "query") > before


def test_the_heat_map_is_drawn_with_the_line_in_it(opened):
    page = opened("holiday")

    share_of_one_colour, share_on_line = hook(page, "heat").evaluate(HEAT)

    assert share_of_one_colour < 0.5
    assert share_on_line > 0.4


def test_clips_play_in_step(opened):
    page = opened("medley")
    hook(page, "play").click()
    page.wait_for_function(
        "() => document.querySelector('[data-testid=clip-query]').currentTime > 0.2"
    )
    offsets, seen_s = [], []

    for _ in range(8):
        page.wait_for_timeout(200)
        query_s, ref_s = page.evaluate(
            "() => ['query', 'ref'].map("
            "(side) => document.querySelector(`[data-testid=clip-${side}]`).currentTime)"
        )
        seen_s.append(query_s)
        offsets.append(abs(1.5 * query_s - ref_s))

    assert seen_s[-1] - seen_s[0] > 0.7
    assert max(offsets) < 0.3


def test_the_space_bar_plays_and_pauses(opened):
    page = opened("holiday")
    is_paused = "() => document.querySelector('[data-testid=clip-query]').paused"

    press(page, " ")
    page.wait_for_function(f"() => !({is_paused})()")
    press(page, " ")

    page.wait_for_function(is_paused)


def test_a_link_to_a_match_opens_it(open_page, report):
    page = ready(open_page(report, height_px=1000))
    number = row_of(page, "medley").get_attribute("data-upload")

    page.goto(f"{report.as_uri()}#/upload/{number}/1")
    ready(page, "upload")

    assert hook(page, "match-1").get_attribute("aria-current") is not None
