"""Choose when pictures are taken: along a video, and at both ends of a match's line.

strip   |  *  |  *  |  *  |       the middle of each part of the video
pairs   query  * *  *   *  *      evenly along the stretch, and where the best pairs are
        ref     * *  *   *  *     where the line leads from there
"""

import math

from vcd.core import Match

__all__ = ["pair_instants_s", "strip_instants_s"]

_MIN_APART_S = 0.5
"""Pictures closer together than the frames that were compared show nothing more."""


def strip_instants_s(duration_s: float, *, max_pictures: int) -> tuple[float, ...]:
    """Choose when to take pictures along a whole video, in order; an image has its one at 0.

    Args:
        duration_s: of the video.
        max_pictures: 1 or more.
    """
    num = max(1, min(max_pictures, math.ceil(duration_s / _MIN_APART_S)))
    return tuple(duration_s * (i + 0.5) / num for i in range(num))


def pair_instants_s(match: Match, *, max_pairs: int) -> tuple[tuple[float, float], ...]:
    """Choose when to take the pictures of both sides of a match, as query and ref times.

    The best pairs are always among them. Where there is no line, one of the two is an image, and
    its one picture is held against each second of the other.

    Args:
        match: with its evidence.
        max_pairs: how many at most.

    Returns:
        In order of query time; at least one.

    Raises:
        ValueError: the match has no evidence.
    """
    evidence = match.evidence
    if evidence is None:
        raise ValueError(f"{match.query_id} / {match.ref_id}: a match without its evidence")
    pairs = {(pair.query_s, pair.ref_s) for pair in evidence.best[:max_pairs]}
    num_left = max_pairs - len(pairs)
    if evidence.line is None:
        seconds = [(pair.query_s, pair.ref_s) for pair in evidence.per_second]
        step = max(1, math.ceil(len(seconds) / max(1, num_left)))
        pairs.update(seconds[::step][:num_left])
    else:
        stretch = match.query
        num = min(num_left, max(2, math.ceil(stretch.length_s / _MIN_APART_S)))
        middles_s = [stretch.start_s + stretch.length_s * (i + 0.5) / num for i in range(num)]
        pairs.update((at_s, max(0.0, evidence.line.ref_at(at_s))) for at_s in middles_s)
    return tuple(sorted(pairs)) or ((match.query.start_s, match.ref.start_s),)
