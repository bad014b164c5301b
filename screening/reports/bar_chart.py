"""Screenings per day by outcome, as the geometry of a bar chart."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from screening.domain.rules import Severity

WIDTH = 640  # of the drawing
HEIGHT = 200
BAR = 0.75  # the part of a day's width that its bar fills

Counts = Mapping[date, Mapping[Severity | None, int]]


def bars(
    days: Sequence[date], per_day: Counts, highest: int
) -> Iterator[tuple[Severity, float, float, float, float]]:
    """Yield severity, x, y, width and height of each part of each day's bar.

    The most severe part is at the bottom, where days are easiest to compare.
    """
    step = WIDTH / len(days)
    for index, day in enumerate(days):
        top = float(HEIGHT)
        for severity in reversed(Severity):
            if count := per_day.get(day, {}).get(severity, 0):
                height = HEIGHT * count / highest
                top -= height
                x = step * (index + (1 - BAR) / 2)
                width = step * BAR
                yield severity, round(x, 1), round(top, 1), round(width, 1), round(height, 1)
