"""Guard against collapse: pseudo-labels that feed on themselves (docs/methods/adaptation.md#collapse-guard).

Labels may be wrong from the first round on, too: classes exchanged keep shares that are balanced by a prior,
and agree with each other. What they show of the image is compared with the source's truth (``contrast.py``).

A class that loses ground gets fewer labels, learns less, and loses more. Overall agreement hides it, since
nine pixels of ten are background whatever happens to buildings; so agreement is taken per class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.lib.losses.segmentation import IGNORE

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapseLimits:
    """Limits on a round of pseudo-labels.

    Attributes:
        max_shift: Factor by which a class's share of the labelled pixels may grow or shrink in a round.
        min_agreement: Least intersection over union of a class's labels in two rounds.
        max_fall: Most by which that agreement may fall from one round to the next.
        min_contrast: Least similarity, -1 to 1, of the labelled buildings' contrast to that of the source's
            truth.
    """

    max_shift: float = 2.0
    min_agreement: float = 0.4
    max_fall: float = 0.2
    min_contrast: float = 0.0


def class_agreement(before: Iterable[UInt8], now: Iterable[UInt8], classes: int) -> tuple[float, ...]:
    """Intersection over union of each class's labels in two rounds, over pixels that both labelled.

    Args:
        before: Labels of the tiles, (H, W) each, or all of them mapped from a file, (N, H, W).
        now: The same tiles' labels of the next round.
        classes: Number of classes.

    Returns:
        One value per class; 1 for a class that neither round has.
    """
    counts = np.zeros((classes, classes), dtype=np.int64)
    for old, new in zip(before, now, strict=True):
        both = (old != IGNORE) & (new != IGNORE)
        pairs = old[both].astype(np.int64) * classes + new[both]
        counts += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    same = np.diag(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - same
    return tuple(float(s / u) if u else 1.0 for s, u in zip(same, union, strict=True))


def collapse_reason(
    before: Sequence[float],
    now: Sequence[float],
    limits: CollapseLimits,
    *,
    agreement: Sequence[float] | None = None,
    agreement_before: Sequence[float] | None = None,
    contrast: float = 1.0,
) -> str | None:
    """Return the reason why a round must not be trained on; None if it may.

    Args:
        before: Share of each class in the labelled pixels of the round before, or in the source's truth for
            the first round.
        now: The same of this round.
        limits: Limits on the round.
        agreement: :func:`class_agreement` of the two rounds; None for the first.
        agreement_before: That of the round before with the one before it.
        contrast: Similarity of the labels' contrast to that of the source's truth, -1 to 1.
    """
    if contrast < limits.min_contrast:
        return (
            "labelled buildings stand out from background in reverse to the source's truth (similarity "
            f"{contrast:+.2f} < {limits.min_contrast:g}): the classes look exchanged"
        )
    for k, (old, new) in enumerate(zip(before, now, strict=True)):
        if new == 0 < old:
            return f"class {k} has no label any more (its share was {old:.2%})"
        if min(old, new) > 0 and max(old / new, new / old) > limits.max_shift:
            return (
                f"the share of class {k} moved from {old:.2%} to {new:.2%}, "
                f"by more than the factor {limits.max_shift:g}"
            )
    for k, value in enumerate(agreement or ()):
        if value < limits.min_agreement:
            return (
                f"labels of class {k} agree with the last round's by {value:.2f} < {limits.min_agreement:g}"
            )
        earlier = agreement_before[k] if agreement_before else value
        if earlier - value > limits.max_fall:
            return (
                f"agreement of class {k} between rounds fell from {earlier:.2f} to {value:.2f}, "
                f"by more than {limits.max_fall:g}"
            )
    return None
