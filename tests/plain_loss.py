"""The loss of the training as the publication states it: a double loop over numbers of Python.

`vcd.training.loss` is tested against it. Labels are kept as published, one share for every
photograph, and two views belong together when the inner product of their labels is not 0.
"""

import math
from collections.abc import Mapping, Sequence

Labels = Sequence[Mapping[int, float]]
"""For each view, how much of it each photograph is."""


def plain_labels(
    photos: Sequence[int], mixed_photos: Sequence[int], shares: Sequence[float]
) -> list[dict[int, float]]:
    labels: list[dict[int, float]] = []
    for photo, mixed_photo, share in zip(photos, mixed_photos, shares, strict=True):
        label = {photo: share}
        label[mixed_photo] = label.get(mixed_photo, 0.0) + 1.0 - share
        labels.append(label)
    return labels


def plain_info_nce(
    similarity: Sequence[Sequence[float]],
    labels: Labels,
    *,
    temperature: float,
    is_mixed: bool,
    added: float = 0.0,
) -> float:
    """Mean over the rows of a batch; columns beyond the batch are a bank's.

    Args:
        similarity: a row for each view of the batch.
        labels: of each column; the first are the batch's own.
        temperature: divides the similarities.
        is_mixed: rows are means over their positives, not sums.
        added: what the published code adds to the denominator.
    """
    num_rows, total = len(similarity), 0.0
    for row in range(num_rows):
        losses = []
        strangers = sum(
            math.exp(similarity[row][column] / temperature)
            for column in range(len(labels))
            if not _belong_together(labels[row], labels[column])
        )
        for column in range(num_rows):
            if column != row and _belong_together(labels[row], labels[column]):
                own = math.exp(similarity[row][column] / temperature)
                losses.append(-math.log(own / (own + strangers + added)))
        if losses:
            total += sum(losses) / len(losses) if is_mixed else sum(losses)
    return total / num_rows


def plain_entropy(similarity: Sequence[Sequence[float]], labels: Labels) -> float:
    """Mean over the rows of a batch of minus the logarithm of the nearest stranger's distance."""
    total = 0.0
    for row, similarities in enumerate(similarity):
        strangers = [
            similarities[column]
            for column in range(len(labels))
            if not _belong_together(labels[row], labels[column])
        ]
        if strangers:
            total -= math.log(math.sqrt(max(2.0 - 2.0 * max(strangers), 1e-6)))
    return total / len(similarity)


def _belong_together(one: Mapping[int, float], other: Mapping[int, float]) -> bool:
    return sum(share * other.get(photo, 0.0) for photo, share in one.items()) > 0.0
