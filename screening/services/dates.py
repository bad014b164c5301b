"""Days and times as people write them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache

from babel import Locale
from babel.dates import get_day_names, get_month_names


class Order(StrEnum):
    """The part that stands first in a day such as 03/12/1988."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


class ShortYear(ValueError):
    """A year has two digits: its century is not known."""


_WORD = re.compile(r"\d+|[^\W\d_]+")
_ORDINAL = re.compile(r"(?<=\d)\.?(?:st|nd|rd|th|er|[oaºª°])(?!\w)")
_PASSED_OVER = frozenset(
    ["a", "at", "d", "de", "del", "el", "la", "las", "of", "on", "st", "nd", "rd", "th", "the"]
)
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))  # they look alike
_NOT_IN_DAYS = re.compile(r"[^\w\s./,-]")
_TIME = re.compile(
    r"(?:^|[\st,])(\d{1,2})(?:[:.h](\d{2})(?::(\d{2})(?:[.,]\d+)?)?)?\s*(?:([ap])\.?\s?m\.?)?\s*h?$"
)


@cache
def _names(languages: tuple[str, ...]) -> tuple[Mapping[str, int], frozenset[str]]:
    """Return the months by their names in these languages, and the names of the weekdays."""
    months = dict[str, set[int]]()
    days = set[str]()
    for locale in (Locale.parse(code, sep="-") for code in languages):
        for width in ("wide", "abbreviated"):
            for context in ("format", "stand-alone"):
                for number, name in get_month_names(width, context, locale).items():
                    months.setdefault(_plain(str(name)).rstrip("."), set()).add(int(number))
                days |= {
                    _plain(str(name)).rstrip(".")
                    for name in get_day_names(width, context, locale).values()
                }
    if "septiembre" in months:
        months["setiembre"] = {9}
    return {name: min(numbers) for name, numbers in months.items() if len(numbers) == 1}, frozenset(
        days
    )


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_DASHES).casefold().split())


def day_number(typed: str) -> int | None:
    """Return the number that was typed for a day, such as 12, 12th, 12. or 1º."""
    digits = _ORDINAL.sub("", re.sub(r"\s+(?=\D)", "", _plain(typed))).rstrip(".")
    return int(digits) if digits.isdecimal() and len(digits) <= 4 else None


def month_by_name(typed: str, languages: tuple[str, ...]) -> int | None:
    """Return the month whose full or short name was typed in one of the languages."""
    return _names(languages)[0].get(_plain(typed).removeprefix("de ").rstrip("."))


def readings(text: str, languages: tuple[str, ...]) -> Mapping[Order, date]:
    """Return the day that a text means in each order in which it is a day.

    A year first, a month in words and full stops between numbers (day first) leave nothing open.
    Raises ValueError for a text that is no day, ShortYear for a year of two digits.
    """
    months, days = _names(languages)
    plain = _plain(text)
    words = _WORD.findall(_ORDINAL.sub("", plain))
    numbers = [word for word in words if word.isdecimal()]
    named = [months[word] for word in words if word in months]
    known = (
        len(numbers)
        + len(named)
        + sum(word in days | _PASSED_OVER for word in words if word not in months)
    )
    if known != len(words) or _NOT_IN_DAYS.search(plain):
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
        is_dotted = "." in plain and not {"/", "-"} & set(plain)
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
    """Return the order that the days of a column prove: some have only that reading, none another."""
    proved = {next(iter(readings)) for readings in column if len(readings) == 1}
    return proved.pop() if len(proved) == 1 else None


def split_time(text: str) -> tuple[str, time | None]:
    """Return the part of a text that tells the day, and its time.

    Midnight counts as no time, since spreadsheets add it to days. Raises ValueError for a time
    that does not exist.
    """
    plain = _plain(text)
    match = _TIME.search(plain)
    if match is None or not (match[2] or match[4]):
        return text, None
    hour, minute, second = (int(digits or 0) for digits in match.group(1, 2, 3))
    if match[4]:
        if not 1 <= hour <= 12:
            raise ValueError(text)
        hour = hour % 12 + (12 if match[4] == "p" else 0)
    at = time(hour, minute, second)
    return plain[: match.start()].rstrip(" ,"), at if at != time.min else None


def exact_moment(text: str) -> datetime | None:
    """Return the moment of a text in ISO 8601 with its offset from UTC; None for any other text."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
