"""Which items of `vcd dedup` belong together, which of them to keep, and how sure that is.

    image - image    similarity of their descriptors                (vcd.search.duplicates)
    otherwise        search, align, and the similarity of the whole (vcd.align.whole_videos)

Two items are linked from the threshold on; a cluster is what links connect. N items.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import inf

import numpy as np
from numpy.typing import NDArray

from pipelines import console
from pipelines.dedup_findings import Cluster, Clustering, Member, are_same_file, to_keep
from pipelines.dedup_items import ItemFacts
from pipelines.track_files import searching
from vcd.align import align_pair
from vcd.align.frames import FrameView
from vcd.align.whole_videos import whole_similarity
from vcd.config import Settings
from vcd.core import Descriptors, PairTally
from vcd.descriptors import DescriptorRows
from vcd.descriptors.store_format import descriptors_from
from vcd.search import RowIndex, best_pairs
from vcd.search.duplicates import all_links, least_similarity
from vcd.search.link_forest import Links, clusters_of, strongest_forest

__all__ = ["cluster_items"]

_ROUNDING = 1e-5
"""Two ways to add up a product differ by less."""

_ROWS_PER_READ = 65_536


def cluster_items(
    rows: DescriptorRows, facts: Mapping[str, ItemFacts], settings: Settings, threshold: float
) -> Clustering:
    """Find the near-duplicates among all items of a descriptor file.

    Args:
        rows: of length 1 or 0, float32; one row an image, several a video.
        facts: of the items, by id; may lack any.
        settings: how videos are searched and aligned.
        threshold: similarity from which two items are near-duplicates.

    Raises:
        InputError: the rows of a video are no descriptors; says which.
        SetupError: FAISS is needed and cannot be imported.
    """
    return _Run(rows, facts, settings, threshold).clustering()


class _Run:
    """One pass over a descriptor file; an item is named by its place among the runs."""

    def __init__(
        self,
        rows: DescriptorRows,
        facts: Mapping[str, ItemFacts],
        settings: Settings,
        threshold: float,
    ) -> None:
        self._rows = rows
        self._facts = facts
        self._settings = settings
        self._threshold = threshold
        runs = np.array(rows.runs, dtype=np.int64).reshape(-1, 2)
        self._first, self._length = runs[:, 0], runs[:, 1] - runs[:, 0]
        self._images = np.flatnonzero(self._length == 1)
        self._videos = np.flatnonzero(self._length > 1)
        self._similarity_of: dict[tuple[int, int], float] = {}
        self._num_over_cap = 0
        self._is_exact = True
        if len(self._videos):
            self._image_features = rows.features[self._first[self._images]]
        else:
            self._image_features = rows.features

    def clustering(self) -> Clustering:
        num_items = len(self._first)
        forest, num_links = strongest_forest(self._links(), num_items)
        found = clusters_of(forest, num_items)
        weakest = _weakest_links(found, forest, num_items)
        clusters = [
            self._cluster(places, link) for places, link in zip(found, weakest, strict=True)
        ]
        clusters.sort(key=lambda each: (each.least_similarity, each.members[0].facts.id))
        return Clustering(
            clusters=tuple(clusters),
            num_items=num_items,
            num_links=num_links,
            uninformative=self._uninformative(),
            is_exact=self._is_exact,
            num_pairs_over_cap=self._num_over_cap,
        )

    def _links(self) -> Iterator[Links]:
        with searching("comparing images") as tell:
            search = all_links(self._image_features, self._threshold, tell)
            self._is_exact = search.is_exact
            for part in search.links:
                yield Links(
                    first=self._images[part.first],
                    second=self._images[part.second],
                    similarity=part.similarity,
                )
        yield from self._links_of_videos()

    def _links_of_videos(self) -> Iterator[Links]:
        """Search for each video, and align it with each image and each video of a later id it hits.

        By id and not by place: the order of a file's items changes nothing.
        """
        if len(self._videos) == 0:
            return
        ids = [str(self._rows.video_ids[first]) for first in self._first]
        place_of = {item_id: place for place, item_id in enumerate(ids)}
        index = RowIndex(
            self._rows.features, self._rows.runs, self._item, ref_ids=ids, space=self._rows.space
        )
        floor = min(self._settings.search.min_score, self._threshold)
        search = replace(self._settings.search, min_score=floor, min_pair_score=floor)
        with console.progress("comparing videos", total=len(self._videos)) as bar:
            for place in self._videos.tolist():
                query = self._item(place)
                selection = best_pairs(index.hits(query, min_score=floor), search)
                self._num_over_cap += selection.num_over_cap
                for tally in selection.accepted:
                    other = place_of[tally.candidate.ref_id]
                    if self._length[other] == 1 or ids[other] > ids[place]:
                        yield self._link(query, place, other, tally)
                bar.advance(ids[place])

    def _link(self, query: Descriptors, place: int, other: int, tally: PairTally) -> Links:
        """Align two items; one link or none."""
        ref = self._item(other)
        align = replace(self._settings.align, min_score=-inf)
        matches = align_pair(query, ref, tally, align).accepted
        similarity = whole_similarity(FrameView.of(query, 0), FrameView.of(ref, 0), matches)
        first, second = min(place, other), max(place, other)
        self._similarity_of[first, second] = similarity
        if similarity < self._threshold:
            return Links.none()
        return Links(
            first=np.array([first]),
            second=np.array([second]),
            similarity=np.array([similarity], dtype=np.float32),
        )

    def _cluster(self, places: NDArray[np.int64], weakest_link: float) -> Cluster:
        known = {place: self._facts_of(place) for place in places.tolist()}
        kept, why = to_keep(known)
        others = [self._member(known, kept, place) for place in known if place != kept]
        others.sort(key=lambda member: (member.similarity, member.facts.id))
        least = self._least_similarity(places)
        first = Member(facts=known[kept], similarity=1.0, is_same_file=True, advice="keep")
        return Cluster(
            members=(first, *others),
            why_kept=why,
            weakest_link=weakest_link,
            least_similarity=least,
            is_chained=least < self._threshold - _ROUNDING,
        )

    def _member(self, known: Mapping[int, ItemFacts], kept: int, place: int) -> Member:
        similarity = self._similarity(kept, place)
        return Member(
            facts=known[place],
            similarity=similarity,
            is_same_file=are_same_file(known[kept], known[place]),
            advice="remove" if similarity >= self._threshold - _ROUNDING else "look",
        )

    def _similarity(self, one: int, other: int) -> float:
        """Of two items; 0 where they were not found to share anything."""
        if self._length[one] == 1 == self._length[other]:
            rows = self._rows.features[self._first[[one, other]]]
            return min(1.0, max(0.0, float(rows[0] @ rows[1])))
        return self._similarity_of.get((min(one, other), max(one, other)), 0.0)

    def _least_similarity(self, places: NDArray[np.int64]) -> float:
        if (self._length[places] == 1).all():
            least = least_similarity(self._rows.features, self._first[places])
            return min(1.0, max(0.0, least))
        return min(self._similarity(*pair) for pair in combinations(places.tolist(), 2))

    def _facts_of(self, place: int) -> ItemFacts:
        first = int(self._first[place])
        item_id = str(self._rows.video_ids[first])
        known = self._facts.get(item_id)
        if known is not None:
            return known
        if self._length[place] == 1:
            return ItemFacts(id=item_id)
        timeline = self._item(place).timeline
        return ItemFacts(id=item_id, duration_s=float(timeline.end_s[-1] - timeline.start_s[0]))

    def _uninformative(self) -> tuple[str, ...]:
        features = self._rows.features
        speaks = np.zeros(len(features), dtype=np.bool_)
        for first in range(0, len(features), _ROWS_PER_READ):
            here = slice(first, first + _ROWS_PER_READ)
            speaks[here] = features[here].any(axis=1)
        if len(speaks) == 0:
            return ()
        silent = np.flatnonzero(~np.logical_or.reduceat(speaks, self._first))
        return tuple(sorted(str(self._rows.video_ids[self._first[place]]) for place in silent))

    def _item(self, place: int) -> Descriptors:
        first = int(self._first[place])
        return descriptors_from(self._rows, first, first + int(self._length[place]))


def _weakest_links(
    clusters: Sequence[NDArray[np.int64]], forest: Links, num_items: int
) -> list[float]:
    """Find for each cluster the weakest link of its strongest tree."""
    cluster_of = np.zeros(num_items, dtype=np.int64)
    for ordinal, places in enumerate(clusters):
        cluster_of[places] = ordinal
    weakest = np.ones(len(clusters), dtype=np.float32)
    np.minimum.at(weakest, cluster_of[forest.first], forest.similarity)
    return [float(link) for link in weakest]
