"""Figures: what is made of numbers that were measured again and again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def spread(values: Sequence[float]) -> float:
    """Return how far apart values are, as a share of their median.

    It is the whole range, lowest to highest: rounds are too few for quantiles.
    """
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return how many times theirs ours is.

    Rounds are compared with themselves, and the median of the rounds' ratios is taken:
    so what slows a machine down for a while slows both. If the rounds of one are
    missing, the medians are compared.

    Returns:
        The ratio; None: there is nothing to compare, or theirs is 0.
    """
    if not ours or not theirs:
        return None
    if len(ours) == len(theirs):
        ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b]
        return median(ratios) if ratios else None
    below = median(theirs)
    return median(ours) / below if below else None


def shown(value: float) -> str:
    """Write a number so that three digits of it can be read."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 1 or value == 0:
        return f"{value:.2f}"
    return f"{value:.3g}"
