"""Decide which shards are written anew, so that there are few and most of each is alive.

Small shards merge into ones at least twice their size, so each row is copied
about log2(largest / smallest) times in its life and shard sizes fall
geometrically; a shard that is mostly dead is written anew whatever its size.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vcd.search.manifest import RefEntry, ShardEntry
from vcd.search.shards import ShardPart

__all__ = ["MAX_SHARD_BYTES", "grouped_parts", "shards_to_rewrite"]

MAX_SHARD_BYTES = 256 * 2**20
"""Two seconds of copying at most for a merge; 400 shards make 100 GB."""


def shards_to_rewrite(
    shards: Iterable[ShardEntry], refs: Sequence[RefEntry], waiting: Sequence[ShardPart]
) -> list[ShardEntry]:
    """Choose the shards whose live rows go into the next ones.

    Args:
        shards: all there are.
        refs: those that are in shards.
        waiting: what will be written anyway.
    """
    live_rows: Counter[str] = Counter()
    for ref in refs:
        live_rows[ref.shard] += ref.num_rows
    live = sorted(
        (shard for shard in shards if shard.digest in live_rows),
        key=lambda each: (each.num_bytes, each.digest),
    )
    chosen = [shard for shard in live if 2 * live_rows[shard.digest] < shard.num_rows]
    if not waiting and not chosen:
        return []
    total_bytes = sum(part.num_bytes for part in waiting)
    total_bytes += sum(_live_bytes(shard, live_rows) for shard in chosen)
    for shard in live:
        if shard in chosen:
            continue
        num_bytes = _live_bytes(shard, live_rows)
        if num_bytes > 2 * total_bytes or num_bytes + total_bytes > MAX_SHARD_BYTES:
            break
        chosen.append(shard)
        total_bytes += num_bytes
    return chosen


def _live_bytes(shard: ShardEntry, live_rows: Mapping[str, int]) -> int:
    if shard.num_rows == 0:
        return shard.num_bytes
    return shard.num_bytes * live_rows[shard.digest] // shard.num_rows


def grouped_parts(
    parts: Iterable[tuple[RefEntry, ShardPart]],
) -> Iterator[list[tuple[RefEntry, ShardPart]]]:
    """Split what is to be written into shards of bounded size, in order of id."""
    group: list[tuple[RefEntry, ShardPart]] = []
    num_bytes = 0
    for ref, part in sorted(parts, key=lambda each: each[0].video.id):
        if group and num_bytes + part.num_bytes > MAX_SHARD_BYTES:
            yield group
            group, num_bytes = [], 0
        group.append((ref, part))
        num_bytes += part.num_bytes
    if group:
        yield group
