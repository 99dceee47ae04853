"""VCSL's temporal network with a graph library, one object a cell: slow, and easy to compare.

`vcd.align.PublishedNetwork` is tested against it, and `benchmarks/bench_align.py` measures how
much faster that is. Written anew from the description of the published code.
"""

import itertools

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from vcd.align import PublishedNetworkSettings

Corners = tuple[int, int, int, int]


def plain_published_boxes(
    matrix: NDArray[np.float32], settings: PublishedNetworkSettings
) -> list[Corners]:
    """Return ``(q_min, r_min, q_max, r_max)`` of each box, all inclusive, in order of finding."""
    graph, cells = _graph(matrix, settings)
    sink = len(cells) - 1
    found: list[Corners] = []
    for _ in range(settings.max_path + 1):
        path = nx.dag_longest_path(graph)
        for one, other in itertools.pairwise(path):
            graph[one][other]["weight"] = 0.0
        inner = [cells[node] for node in path if node not in (0, sink)]
        if not inner:
            break
        box = _box(matrix, inner, settings)
        if box is not None and all(_iou(box, old) < settings.max_iou for old in found):
            found.append(box)
    return found


def _graph(
    matrix: NDArray[np.float32], settings: PublishedNetworkSettings
) -> tuple[nx.DiGraph, list[tuple[int, int]]]:
    best = np.argsort(-matrix, axis=1, kind="stable")[:, : settings.top_k].tolist()
    cells = [(-1, -1), *((q, r) for q, refs in enumerate(best) for r in refs)]
    number = {cell: node for node, cell in enumerate(cells)}
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(cells)))
    for q, refs in enumerate(best):
        linked: set[int] = set()
        for q_next in range(q + 1, min(q + settings.max_step, len(best))):
            edges = [
                (r, r_next)
                for r_next in best[q_next]
                for r in refs
                if 0 < r_next - r < settings.max_step
                and not any(r < between < r_next for between in linked)
                and matrix[q_next, r_next] >= settings.min_sim
            ]
            for r, r_next in edges:
                weight = matrix[q_next, r_next]
                graph.add_edge(number[q, r], number[q_next, r_next], weight=weight)
            linked.update(r_next for _, r_next in edges)
    q_last, r_last = cells[-1]
    for node, (q, r) in enumerate(cells[:-1]):
        if 0 < q_last - q <= settings.max_step and 0 < r_last - r <= settings.max_step:
            graph.add_edge(node, len(cells) - 1, weight=0)
    return graph, cells


def _box(
    matrix: NDArray[np.float32], path: list[tuple[int, int]], settings: PublishedNetworkSettings
) -> Corners | None:
    (q_min, r_min), (q_max, r_max) = path[0], path[-1]
    if min(q_max - q_min, r_max - r_min) <= settings.min_length:
        return None
    score = np.float32(0.0)
    for cell in path:
        score += matrix[cell]
    is_similar = float(score) / ((q_max - q_min + r_max - r_min) / 2) > settings.min_sim
    return (q_min, r_min, q_max, r_max) if is_similar else None


def _iou(one: Corners, other: Corners) -> float:
    sides = [min(one[a + 2], other[a + 2]) - max(one[a], other[a]) + 1 for a in (0, 1)]
    common = max(0, sides[0]) * max(0, sides[1])
    areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (one, other)]
    return common / (sum(areas) - common)
