"""Screenings per day by outcome, as the geometry of a bar chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from screening.domain.rules import Severity

WIDTH, HEIGHT, BAR = 640, 200, 0.75  # of the drawing, and the part of a day's width that its bar fills


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One part of a day's bar."""

    word: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The bars, the highest count, and where the first and the last day stand."""

    bars: tuple[Bar, ...]
    highest: int
    width: int
    height: int
    days: tuple[date, date]


def chart(days: Sequence[date], per_day: Mapping[date, Mapping[Severity | None, int]]) -> Chart:
    """The most severe at the bottom, so that it can be compared from day to day."""
    highest = max((sum(counts.values()) for counts in per_day.values()), default=0)
    step, bars = WIDTH / len(days), []
    for place, one in enumerate(days):
        top = float(HEIGHT)
        for severity in reversed(Severity):
            count = per_day.get(one, {}).get(severity, 0)
            if count:
                height = HEIGHT * count / highest
                top -= height
                bars.append(
                    Bar(
                        word=severity.word,
                        x=round(step * (place + (1 - BAR) / 2), 1),
                        y=round(top, 1),
                        width=round(step * BAR, 1),
                        height=round(height, 1),
                    )
                )
    return Chart(bars=tuple(bars), highest=highest, width=WIDTH, height=HEIGHT, days=(days[0], days[-1]))
