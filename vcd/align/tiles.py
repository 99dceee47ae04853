r"""Align matrices of any size in tiles, and join the paths that cross from one to the next.

    +---------+          tiles overlap, so that a short segment lies whole in one;
    |  \   +--|------+   a tile is looked at when a hit lies in it, or when a path
    |   \  |  |      |   runs over the edge of its neighbour
    +----\-+--+      |
         |\          |
         +-----------+

A 3-hour query against a 2-hour reference never has its full matrix in memory.
Q and R: frames on either side; K hits.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.align.frames import FrameView, score_block
from vcd.align.paths import box_of_path
from vcd.align.settings import AlignSettings
from vcd.core.protocols import Aligner, ScoredBox

__all__ = ["align_tiles"]

_OVERLAP_FRAMES = 64
"""Longer than the shortest copy by far, and 3 % of a tile's side."""

_SAME_PATH_FRAMES = 3
"""Two tiles may draw one path this far apart: still shots leave it free."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fragment:
    tile: tuple[int, int]
    path: NDArray[np.int64]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """Overlapping tiles over ``num_frames`` on one axis each."""

    num_frames: tuple[int, int]
    side: tuple[int, int]

    @classmethod
    def over(cls, num_query: int, num_ref: int, max_cells: int) -> "_Grid":
        square = int(max_cells**0.5)
        if num_query <= square:
            side = (num_query, max_cells // num_query)
        elif num_ref <= square:
            side = (max_cells // num_ref, num_ref)
        else:
            side = (square, square)
        side = (min(side[0], num_query), min(side[1], num_ref))
        return cls(num_frames=(num_query, num_ref), side=side)

    def step(self, axis: int) -> int:
        return max(1, self.side[axis] - min(_OVERLAP_FRAMES, self.side[axis] // 4))

    def num_tiles(self, axis: int) -> int:
        beyond = self.num_frames[axis] - self.side[axis]
        return 1 + -(-beyond // self.step(axis)) if beyond > 0 else 1

    def span(self, ordinal: int, axis: int) -> tuple[int, int]:
        first = ordinal * self.step(axis)
        return first, min(first + self.side[axis], self.num_frames[axis])

    def tile_of(self, frames: NDArray[np.int64]) -> list[tuple[int, int]]:
        """List the tiles that hold these ``(K, 2)`` cells, in the order of the cells."""
        ordinals = [
            np.minimum(frames[:, axis] // self.step(axis), self.num_tiles(axis) - 1)
            for axis in (0, 1)
        ]
        return list(dict.fromkeys(zip(*(o.tolist() for o in ordinals), strict=True)))


def align_tiles(
    query: FrameView,
    ref: FrameView,
    hits: NDArray[np.int64],
    aligner: Aligner,
    settings: AlignSettings,
) -> list[ScoredBox]:
    """Find the copied stretches of one pair of views.

    Args:
        query: Q frames of the video asked about.
        ref: R frames of the reference; may be memory-mapped.
        hits: ``(K, 2)`` frames of the pair's best hits, best first.
        aligner: looks at one tile at a time.
        settings: how large a tile may be, and how many there may be.
    """
    grid = _Grid.over(len(query), len(ref), settings.max_cells)
    if grid.num_tiles(0) == grid.num_tiles(1) == 1:
        return aligner.align(score_block(query, ref, slice(None), slice(None)))

    def align_tile(tile: tuple[int, int]) -> list[_Fragment]:
        q_first, q_stop = grid.span(tile[0], 0)
        r_first, r_stop = grid.span(tile[1], 1)
        q_rows, r_cols = slice(q_first, q_stop), slice(r_first, r_stop)
        boxes = aligner.align(score_block(query, ref, q_rows, r_cols))
        origin = np.array([q_first, r_first])
        return [_Fragment(tile=tile, path=b.path + origin, score=b.score) for b in boxes]

    fragments = _visit(grid, grid.tile_of(hits), align_tile, settings)
    return _joined(fragments, settings)


def _visit(
    grid: _Grid,
    waiting: list[tuple[int, int]],
    align_tile: Callable[[tuple[int, int]], list[_Fragment]],
    settings: AlignSettings,
) -> list[_Fragment]:
    """Align the waiting tiles, and those that paths run into."""
    fragments: list[_Fragment] = []
    seen = set(waiting)
    num_done = 0
    while waiting and num_done < settings.max_tiles:
        found = align_tile(waiting.pop(0))
        num_done += 1
        for fragment in found:
            for tile in _neighbours(grid, fragment, settings.max_step_frames):
                if tile not in seen:
                    seen.add(tile)
                    waiting.append(tile)
        fragments += found
    return fragments


def _neighbours(grid: _Grid, fragment: _Fragment, reach: int) -> list[tuple[int, int]]:
    """List the tiles that a path may continue in, beyond each end that nears an edge."""
    tiles = []
    for cell, way in ((fragment.path[0], -1), (fragment.path[-1], 1)):
        moves = []
        for axis in (0, 1):
            first, stop = grid.span(fragment.tile[axis], axis)
            near = cell[axis] - first <= 2 * reach if way < 0 else stop - cell[axis] <= 2 * reach
            there = fragment.tile[axis] + way
            moves.append([0, way] if near and 0 <= there < grid.num_tiles(axis) else [0])
        tiles += [
            (fragment.tile[0] + q_move, fragment.tile[1] + r_move)
            for q_move in moves[0]
            for r_move in moves[1]
            if q_move or r_move
        ]
    return tiles


def _joined(fragments: list[_Fragment], settings: AlignSettings) -> list[ScoredBox]:
    """Join fragments of different tiles that continue each other, earliest first."""
    pending = sorted(fragments, key=lambda f: (*f.path[0].tolist(), -len(f.path), f.tile))
    firsts = np.array([f.path[0, 0] for f in pending], dtype=np.int64)
    used = np.zeros(len(pending), dtype=np.bool_)
    boxes = []
    for start, fragment in enumerate(pending):
        if used[start]:
            continue
        path, score, tile = fragment.path, fragment.score, fragment.tile
        ordinal = start + 1
        while ordinal < len(pending):
            if firsts[ordinal] > path[-1, 0] + settings.max_step_frames:
                break
            other = pending[ordinal]
            if not used[ordinal] and other.tile != tile and _continues(path, other.path, settings):
                used[ordinal] = True
                path, added = _chained(path, other.path)
                score += other.score * added
                tile = other.tile
            ordinal += 1
        boxes.append(ScoredBox(box=box_of_path(path), score=score, path=path))
    return sorted(boxes, key=lambda box: (-box.score, box.box.q_first, box.box.r_first))


def _continues(path: NDArray[np.int64], other: NDArray[np.int64], settings: AlignSettings) -> bool:
    """Whether the other path lies on this one, or begins where a step of it may lead."""
    common = np.intersect1d(path[:, 0], other[:, 0], return_indices=True)
    if len(common[0]):
        apart = np.abs(path[common[1], 1] - other[common[2], 1])
        usual: float = np.median(apart).item()
        return usual <= _SAME_PATH_FRAMES
    before = int(np.searchsorted(path[:, 0], other[0, 0])) - 1
    dq, dr = (other[0] - path[before]).tolist()
    if dq > settings.max_step_frames or dr < 0:
        return False
    least, most = settings.min_slope * dq - 1, settings.max_slope * dq + 1
    return bool(least <= dr <= most)


def _chained(path: NDArray[np.int64], other: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
    """Append what the other path adds beyond this one's end.

    Returns:
        The longer path, and the part of the other that was added.
    """
    beyond = (other[:, 0] > path[-1, 0]) & (other[:, 1] >= path[-1, 1])
    return np.concatenate([path, other[beyond]]), float(beyond.mean())
