"""Paper forms that staff have begun to type in: each is a draft, and one more draft lists them."""

from collections.abc import Iterator
from datetime import timedelta

from screening.storage import drafts
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.drafts import Draft, Typed, hash_token
from screening.storage.encryption import Keys

MOST_LISTED = 30


def token(keys: Keys, person_id: int, place: str = "") -> str:
    """Return the token of a person's paper form by its place in addresses, or of the list.

    It follows from the keys, and no address or cookie holds it: a patient's cookie never leads to
    such a draft.
    """
    return keys.authenticate("paper form", f"{person_id}/{place}".encode()).hex()


def begin(actor: Actor, person_id: int, place: str, *, keep: timedelta) -> None:
    """Begin a person's paper form at a place."""
    until = actor.now + keep
    list_hash = hash_token(token(actor.keys, person_id))
    with write(actor.session):
        listed = drafts.find(actor.session, actor.keys, list_hash, now=actor.now, lock=True)
        places = [place, *(listed.typed.values["places"] if listed and listed.typed else ())]
        typed = Typed(path="", values={"places": places[:MOST_LISTED]}, checked=False)
        form_hash = hash_token(token(actor.keys, person_id, place))
        drafts.put(actor.session, actor.keys, list_hash, Draft(typed=typed), expires_at=until)
        drafts.put(actor.session, actor.keys, form_hash, Draft(), expires_at=until)


def begun(actor: Actor, person_id: int) -> Iterator[tuple[str, Draft]]:
    """Yield the paper forms that a person has begun and not sent, by their places."""

    def find(place: str) -> Draft | None:
        token_hash = hash_token(token(actor.keys, person_id, place))
        return drafts.find(actor.session, actor.keys, token_hash, now=actor.now)

    listed = find("")
    for place in listed.typed.values["places"] if listed and listed.typed else ():
        if (draft := find(place)) is not None:
            yield place, draft
