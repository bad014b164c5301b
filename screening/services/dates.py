"""Days as people write them."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from babel import Locale
from babel.dates import get_month_names

ORDINAL = re.compile(r"(?<=\d)\.?(?:st|nd|rd|th|er|[oaºª°])(?!\w)")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))  # they look alike


@cache
def months(languages: tuple[str, ...]) -> Mapping[str, int]:
    """Return the months by their full and short names in these languages."""
    numbers_by_name = dict[str, set[int]]()
    for locale in (Locale.parse(code, sep="-") for code in languages):
        for width in ("wide", "abbreviated"):
            for context in ("format", "stand-alone"):
                for number, name in get_month_names(width, context, locale).items():
                    numbers_by_name.setdefault(plain(str(name)).rstrip("."), set()).add(int(number))
    if "septiembre" in numbers_by_name:
        numbers_by_name["setiembre"] = {9}
    return {name: min(numbers) for name, numbers in numbers_by_name.items() if len(numbers) == 1}


def plain(text: str) -> str:
    """Return the text in small letters, with single spaces and plain hyphens."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_DASHES).casefold().split())


def day_number(typed: str) -> int | None:
    """Return the number that was typed for a day, such as 12, 12th, 12. or 1º."""
    digits = ORDINAL.sub("", re.sub(r"\s+(?=\D)", "", plain(typed))).rstrip(".")
    return int(digits) if digits.isdecimal() and len(digits) <= 4 else None


def month_by_name(typed: str, languages: tuple[str, ...]) -> int | None:
    """Return the month whose full or short name was typed in one of the languages."""
    return months(languages).get(plain(typed).removeprefix("de ").rstrip("."))
