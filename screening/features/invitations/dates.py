"""Days and times as people write them in lists."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache

from babel import Locale
from babel.dates import get_day_names

from screening.services.dates import ORDINAL, months, plain


class Order(StrEnum):
    """The part that stands first in a day such as 03/12/1988."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


class ShortYear(ValueError):
    """A year has two digits: its century is not known."""


_WORD = re.compile(r"\d+|[^\W\d_]+")
_PASSED_OVER = frozenset(
    ["a", "at", "d", "de", "del", "el", "la", "las", "of", "on", "st", "nd", "rd", "th", "the"]
)
_NOT_IN_DAYS = re.compile(r"[^\w\s./,-]")
_TIME = re.compile(
    r"(?:^|[\st,])(\d{1,2})(?:[:.h](\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?\s*(?:([ap])\.?\s?m\.?)?\s*h?$"
)


@cache
def _weekdays(languages: tuple[str, ...]) -> frozenset[str]:
    """Return the full and short names of the days of a week in these languages."""
    return frozenset(
        plain(str(name)).rstrip(".")
        for locale in (Locale.parse(code, sep="-") for code in languages)
        for width in ("wide", "abbreviated")
        for context in ("format", "stand-alone")
        for name in get_day_names(width, context, locale).values()
    )


def readings(text: str, languages: tuple[str, ...]) -> Mapping[Order, date]:
    """Return the day of a text by each order of day and month in which it is valid.

    A year first, a month in words and full stops between numbers (day first) are unambiguous.
    Raises ValueError for a text that is no day, ShortYear for a year of two digits.
    """
    month_numbers = months(languages)
    days = _weekdays(languages)
    whole = plain(text)
    words = _WORD.findall(ORDINAL.sub("", whole))
    numbers = [word for word in words if word.isdecimal()]
    named = [month_numbers[word] for word in words if word in month_numbers]
    known = (
        len(numbers)
        + len(named)
        + sum(word in days | _PASSED_OVER for word in words if word not in month_numbers)
    )
    if known != len(words) or _NOT_IN_DAYS.search(whole):
        raise ValueError(text)
    if len(numbers) == 1 and len(numbers[0]) == 8 and not named:
        numbers = [numbers[0][:4], numbers[0][4:6], numbers[0][6:]]
    if (
        len(numbers) + len(named) != 3
        or len(named) > 1
        or any(len(number) not in (1, 2, 4) for number in numbers)
    ):
        raise ValueError(text)
    years = [number for number in numbers if len(number) == 4]
    if not years:
        raise ShortYear(text)
    if len(years) > 1 or years[0] not in (numbers[0], numbers[-1]):
        raise ValueError(text)
    year = int(years[0])
    (first, *second) = [int(number) for number in numbers if len(number) != 4]
    if named:
        both = [(first, named[0])] * 2
    elif numbers[0] == years[0]:
        both = [(second[0], first)] * 2
    else:
        is_dotted = "." in whole and not {"/", "-"} & set(whole)
        both = [(first, second[0]), (first, second[0]) if is_dotted else (second[0], first)]
    day_by_order = {}
    for order, (day, month) in zip(Order, both, strict=True):
        try:
            day_by_order[order] = date(year, month, day)
        except ValueError:
            continue
    if not day_by_order:
        raise ValueError(text)
    return day_by_order


def order_of(column: Iterable[Mapping[Order, date]]) -> Order | None:
    """Return the order of day and month that the days of a column prove, or None."""
    proved = {next(iter(readings)) for readings in column if len(readings) == 1}
    return proved.pop() if len(proved) == 1 else None


def split_time(text: str) -> tuple[str, time | None]:
    """Return the part of a text that tells the day, and its time.

    Midnight counts as no time, since spreadsheets add it to days. Raises ValueError for a time
    that does not exist.
    """
    whole = plain(text)
    match = _TIME.search(whole)
    if match is None or not (match[2] or match[4]):
        return text, None
    hour, minute, second = (int(digits or 0) for digits in match.group(1, 2, 3))
    if match[4]:
        if not 1 <= hour <= 12:
            raise ValueError(text)
        hour = hour % 12 + (12 if match[4] == "p" else 0)
    at = time(hour, minute, second)
    return whole[: match.start()].rstrip(" ,"), at if at != time.min else None


def exact_moment(text: str) -> datetime | None:
    """Return the moment of a text in ISO 8601 with its offset from UTC; None for any other text."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
