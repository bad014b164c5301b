"""Which new passwords are accepted."""

import re
from typing import Any

from flask_babel import gettext as _
from flask_security import PasswordUtil, verify_password

from screening.installation import current_installation
from screening.storage.tables import PersonRow

ENOUGH = 3  # zxcvbn's score for 10^8 guesses and more
LONGEST = 72  # characters that zxcvbn takes
SHORTEST_NAME = 3  # letters
PRODUCT = "azathioprine imurel imuran screening"


class PasswordRules(PasswordUtil):
    """Refuses passwords that are easy to guess, and a person's former ones."""

    def validate(
        self, password: str, is_register: bool, **kwargs: Any
    ) -> tuple[list[str] | None, str]:
        """Return why the password is refused, or None, and its normal form."""
        faults, normal = super().validate(password, is_register, **kwargs)
        person: PersonRow = kwargs["user"]
        if not faults and _is_easy(normal, person):
            faults = [
                _(
                    "This is easy to guess: it is common, or made of names, dates or patterns. "
                    "Choose several words that do not belong together."
                )
            ]
        former = person.credential.former_passwords if person.credential else ()
        if not faults and any(verify_password(normal, hashed) for hashed in former):
            faults = [_("You have had this password before. Choose another one.")]
        return faults, normal


def _is_easy(password: str, person: PersonRow) -> bool:
    """Return whether a password is easy to guess without the names around."""
    around = (person.full_name, person.sign_in_name, current_installation().settings.clinic_name)
    from zxcvbn import zxcvbn  # takes 0.1 s

    words = re.findall(r"\w+", " ".join((*around, PRODUCT)).casefold().replace("_", " "))
    rest = password.casefold()
    for name in sorted(words, key=len, reverse=True):
        if len(name) >= SHORTEST_NAME:
            rest = rest.replace(name, "")
    return not rest or zxcvbn(rest[:LONGEST], user_inputs=words)["score"] < ENOUGH
