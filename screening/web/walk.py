"""Steps through a list, from one screening to the next."""

import json
from dataclasses import dataclass
from typing import Any

from flask import url_for

from screening.storage.private_files import KeyFault
from screening.web.sealed_values import opened_for_me, sealed_for_me

LONGEST = 150  # references, so that an address stays shorter than what servers accept


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The screenings of a page of a list in their order, and the query of that page.

    The order is that in which the person saw them, even if screenings have changed since.
    """

    references: tuple[str, ...] = ()
    query: dict[str, Any]
    page: int = 1
    is_last: bool = True

    def sealed(self) -> str:
        """Return the list for the address of a screening, sealed for this person."""
        joined = "".join(self.references[:LONGEST])
        content = json.dumps([self.query, self.page, self.is_last, joined])
        return sealed_for_me(content.encode(), table="list", column="walk")

    @property
    def back(self) -> str:
        """Return the address of the list."""
        return self._address(self.page)

    @property
    def next_page(self) -> str:
        """Return the address of the next page of the list, or nothing after the last."""
        return "" if self.is_last else self._address(self.page + 1)

    def _address(self, page: int) -> str:
        return url_for("clinic.inbox", **self.query, page=page if page > 1 else None)

    def beside(self, reference: str) -> tuple[int, str, str]:
        """Return the place of a screening in the list, and the references before and after it."""
        if reference not in self.references:
            return 0, "", ""
        place = self.references.index(reference)
        around = ("", *self.references, "")
        return place + 1, around[place], around[place + 2]


def opened_walk(sealed: str) -> Walk:
    """Return the list that was sealed for this person: an empty one if it cannot be opened."""
    try:
        query, page, is_last, joined = json.loads(
            opened_for_me(sealed, table="list", column="walk")
        )
    except (KeyFault, ValueError):  # ValueError: not base64 either
        return Walk(query={})
    length = len("7F3K-9QWD")
    references = (joined[at : at + length] for at in range(0, len(joined), length))
    return Walk(references=tuple(references), query=query, page=page, is_last=is_last)
