"""What `vcd dedup` has to say: clusters, the item of each to keep and why, as JSON and as a table.

The form of the JSON is published as ``docs/schemas/clusters.schema.json``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipelines.dedup_items import ItemFacts

__all__ = [
    "CHAINED",
    "Cluster",
    "Clustering",
    "Member",
    "are_same_file",
    "cluster_lines",
    "clusters_document",
    "to_keep",
]

CHAINED = "chained: not all are near-duplicates of each other"

_SCHEMA_VERSION = 1
_LENGTH_STEP_S = 0.5
"""Lengths that differ by less count as equal: re-encoding moves the end by a frame or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One item of a cluster.

    Attributes:
        facts: what is known of it.
        similarity: to the item to keep, in [0, 1]; 1 for that item itself.
        is_same_file: whether its bytes are those of the item to keep.
        advice: ``keep``; ``remove`` where it is near the item to keep itself; ``look`` where it is
            in the cluster by way of others only, and may be something else.
    """

    facts: ItemFacts
    similarity: float
    is_same_file: bool
    advice: Literal["keep", "remove", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Items that links connect.

    Attributes:
        members: the one to keep first, then the others, the least similar to it first.
        why_kept: the rule that chose it.
        weakest_link: similarity at which the cluster would fall apart.
        least_similarity: of any two members; far below the threshold where strangers were chained.
        is_chained: whether some two members are below the threshold themselves.
    """

    members: tuple[Member, ...]
    why_kept: str
    weakest_link: float
    least_similarity: float
    is_chained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """All that was found.

    Attributes:
        clusters: the most doubtful first: rising least similarity.
        num_items: that were compared.
        num_links: pairs from the threshold on.
        uninformative: ids of items of which no frame carries evidence; they are in no cluster.
        is_exact: whether all pairs of images were compared, not by inverted lists.
        num_pairs_over_cap: of videos, left out by ``search.max_pairs``.
    """

    clusters: tuple[Cluster, ...]
    num_items: int
    num_links: int
    uninformative: tuple[str, ...]
    is_exact: bool
    num_pairs_over_cap: int

    def num_advised(self, advice: str) -> int:
        """Count the members of all clusters with this advice."""
        return sum(
            member.advice == advice for cluster in self.clusters for member in cluster.members
        )


def to_keep(known: Mapping[int, ItemFacts]) -> tuple[int, str]:
    """Choose the item to keep: largest picture, then longest, then most bytes, then first id.

    Args:
        known: the members by any key.

    Returns:
        The key of the one to keep, and the rule that chose it.
    """
    remaining = list(known)
    rules: tuple[tuple[str, Callable[[ItemFacts], float]], ...] = (
        ("largest picture", lambda facts: facts.width_px * facts.height_px),
        ("longest", lambda facts: round(facts.duration_s / _LENGTH_STEP_S)),
        ("largest file", lambda facts: facts.num_bytes),
    )
    for name, measure in rules:
        best = max(measure(known[place]) for place in remaining)
        remaining = [place for place in remaining if measure(known[place]) == best]
        if len(remaining) == 1:
            return remaining[0], name
    return min(remaining, key=lambda place: known[place].id), "first id of equals"


def are_same_file(one: ItemFacts, other: ItemFacts) -> bool:
    """Say whether two items have the same bytes, as far as that is known."""
    return one.sha256 is not None and one.sha256 == other.sha256


def clusters_document(
    clustering: Clustering, refused: Mapping[str, str], summary: Mapping[str, Any]
) -> dict[str, Any]:
    """Put clusters into the form of ``--json``.

    Args:
        clustering: what was found.
        refused: reason of each item that could not be described, by its id.
        summary: counts, threshold, space and versions.
    """
    return {
        "schema_version": _SCHEMA_VERSION,
        "clusters": [_cluster_document(cluster) for cluster in clustering.clusters],
        "refused": [{"id": name, "reason": reason} for name, reason in sorted(refused.items())],
        "uninformative": list(clustering.uninformative),
        "summary": dict(summary),
    }


def cluster_lines(clustering: Clustering) -> Iterator[str]:
    """Write clusters for people, a line an item.

    cluster 1: 2 items, weakest link 0.91, least similarity 0.91; keep the largest picture
      keep    1.00   640 x 360   12.0 s   rabbit.mp4
      remove  0.91   320 x 180   12.0 s   rabbit.webm
    """
    for number, cluster in enumerate(clustering.clusters, start=1):
        doubt = f"; {CHAINED}" if cluster.is_chained else ""
        yield (
            f"cluster {number}: {len(cluster.members)} items, weakest link "
            f"{cluster.weakest_link:.2f}, least similarity {cluster.least_similarity:.2f}; "
            f"keep the {cluster.why_kept}{doubt}"
        )
        for place, member in enumerate(cluster.members):
            facts = member.facts
            how = "same" if member.is_same_file and place else f"{member.similarity:.2f}"
            picture = f"{facts.width_px} x {facts.height_px}" if facts.width_px else ""
            length = f"{facts.duration_s:.1f} s" if facts.duration_s else ""
            name = facts.path or facts.id
            yield f"  {member.advice:<6}  {how:>4}  {picture:>11}  {length:>8}  {name}"


def _cluster_document(cluster: Cluster) -> dict[str, Any]:
    return {
        "keep": cluster.members[0].facts.id,
        "why": cluster.why_kept,
        "weakest_link": round(cluster.weakest_link, 4),
        "least_similarity": round(cluster.least_similarity, 4),
        "is_chained": cluster.is_chained,
        "members": [
            {
                "id": member.facts.id,
                "advice": member.advice,
                "path": member.facts.path,
                "similarity_to_keep": round(member.similarity, 4),
                "is_same_file": member.is_same_file,
                "width_px": member.facts.width_px or None,
                "height_px": member.facts.height_px or None,
                "duration_s": member.facts.duration_s or None,
                "num_bytes": member.facts.num_bytes or None,
            }
            for member in cluster.members
        ],
    }
