"""Uploads to make evidence of: what is true of each stands in its `Story`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["HOSTILE", "MIN_SCORE", "STORIES", "Copied", "Story", "many_stories"]

MIN_SCORE = 0.45
"""The threshold that rejected candidates of these uploads were held against."""

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "\"'><svg onload=alert(1)>&amp;&lt;",
    "{{constructor.constructor('document.title=1')()}} ${1+1} `x`",
    "invoice\u202egpj.exe\u2066right\u200fleft",
    "two\nlines\tand a tab\r\nand more",
    "fire \U0001f525 family \U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 \u0627\u0644",
    "gar\udce7on.mp4",
    "../../etc/passwd",
    "javascript:alert(1)//",
    "__proto__",
    "<!-- --!> ]]> \u2028 \u2029 \x00 \x1b[31m",
    "long " + "x" * 295,
)
"""Names that an upload or a reference can have, if nobody is careful with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A stretch of an upload that was copied.

    Attributes:
        ref_id: from where.
        query: start and end in the upload, seconds.
        ref: start and end in the reference, seconds.
        score: of the match.
        hints: kind and value of each.
        has_pictures: whether sheets could be made.
        has_clips: whether clips could be made, 6 s of each side.
    """

    ref_id: str
    query: tuple[float, float]
    ref: tuple[float, float]
    score: float
    hints: tuple[tuple[str, float | None], ...] = ()
    has_pictures: bool = True
    has_clips: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is true of one upload.

    Attributes:
        query_id: its name; its uri is made of it.
        duration_s: None when it was refused before anything was known of it.
        copied: best first.
        skipped: start, end and reason of each stretch that was not searched.
        rejected: reference, score, rule, value and limit of each candidate.
        refused: why nothing at all was examined.
        has_strip: whether there are pictures along the upload and its references.
    """

    query_id: str
    duration_s: float | None = 60.0
    copied: tuple[Copied, ...] = ()
    skipped: tuple[tuple[float, float, str], ...] = ()
    rejected: tuple[tuple[str, float, str, float, float], ...] = ()
    refused: str | None = None
    has_strip: bool = True


_HARBOUR = Copied(
    ref_id="harbour",
    query=(12.0, 31.5),
    ref=(80.5, 100.0),
    score=0.91,
    hints=(("mirrored", None), ("padded", 0.24)),
    has_clips=True,
)

STORIES = (
    Story(
        query_id="holiday",
        copied=(_HARBOUR,),
        rejected=(
            ("market", 0.41, "min_score", 0.41, MIN_SCORE),
            ("tower", 0.52, "min_length", 1.5, 3.0),
            ("bridge", 0.38, "min_pair_hits", 1.0, 3.0),
        ),
    ),
    Story(
        query_id="medley",
        duration_s=95.0,
        copied=(
            Copied(
                ref_id="harbour",
                query=(4.0, 22.0),
                ref=(10.0, 37.0),
                score=0.88,
                hints=(("speed", 1.5), ("colour", 0.2)),
                has_clips=True,
            ),
            Copied(
                ref_id="tower",
                query=(30.0, 48.0),
                ref=(5.0, 23.0),
                score=0.74,
                hints=(("cropped", 0.5), ("overlaid", 0.12)),
            ),
            Copied(
                ref_id="harbour",
                query=(60.0, 90.0),
                ref=(100.0, 130.0),
                score=0.52,
                hints=(("inset", 0.3),),
                has_pictures=False,
            ),
        ),
        rejected=(("bridge", 0.44, "min_score", 0.44, MIN_SCORE),),
        skipped=((22.0, 26.0, "uninformative"),),
    ),
    Story(query_id="garden", rejected=(("tower", 0.31, "min_score", 0.31, MIN_SCORE),)),
    Story(
        query_id="broken",
        duration_s=None,
        refused="broken.mp4: it looked like a video, and no frame came out of it",
    ),
    Story(
        query_id="half",
        duration_s=120.0,
        skipped=((0.0, 6.0, "uninformative"), (70.0, 120.0, "undecodable")),
    ),
    Story(
        query_id="poster",
        duration_s=0.1,
        copied=(Copied(ref_id="tower", query=(0.0, 0.1), ref=(12.0, 12.5), score=0.83),),
    ),
    *(
        Story(
            query_id=name,
            copied=(Copied(ref_id=HOSTILE[-1 - i], query=(1.0, 9.0), ref=(2.0, 10.0), score=0.6),),
            rejected=((name, 0.2, "min_score", 0.2, MIN_SCORE),),
            has_strip=False,
        )
        for i, name in enumerate(HOSTILE)
    ),
)
"""One upload of each kind, and one for each hostile name."""


def many_stories(num_uploads: int) -> Iterator[Story]:
    """Tell of many uploads: 3 of 10 copy, 1 of 30 is refused, 1 of 30 partly examined."""
    rng = np.random.default_rng(6)
    for ordinal in range(num_uploads):
        kind = ordinal % 30
        starts_s = np.sort(rng.uniform(0.0, 40.0, size=3))
        copied = tuple(
            Copied(
                ref_id=f"film-{int(rng.integers(400)):03d}",
                query=(float(start_s), float(start_s) + 12.0),
                ref=(float(start_s) + 30.0, float(start_s) + 42.0),
                score=score,
                hints=(("mirrored", None),),
                has_pictures=False,
            )
            for start_s, score in zip(
                starts_s[: 3 if kind == 8 else 1 if kind < 8 else 0],
                sorted(rng.uniform(0.45, 0.98, size=3), reverse=True),
                strict=False,
            )
        )
        yield Story(
            query_id=f"upload-{ordinal:05d}",
            duration_s=None if kind == 28 else float(rng.uniform(55.0, 600.0)),
            copied=copied,
            skipped=((0.0, 4.0, "uninformative"),) if kind == 29 else (),
            rejected=(("film-000", 0.3, "min_score", 0.3, MIN_SCORE),) * (ordinal % 3),
            refused="the container is cut off" if kind == 28 else None,
            has_strip=False,
        )
