"""Paper forms that staff have begun to type in: each is a draft, and one more draft lists them."""

from collections.abc import Iterator
from datetime import timedelta

from screening.storage import drafts
from screening.storage.audit import Actor
from screening.storage.database import write
from screening.storage.drafts import Draft, Typed, hash_token
from screening.storage.encryption import Keys

LISTED_FOR = timedelta(days=1)  # after a form is begun; each step of a form keeps it for longer


def token(keys: Keys, person_id: int, place: str = "") -> str:
    """Return the token of a person's paper form by its place in addresses, or of the list.

    It follows from the keys and is in no address and no cookie: a patient's cookie never leads to
    such a draft, and a token that a patient has is never one of these.
    """
    return keys.authenticate("paper form", f"{person_id}/{place}".encode()).hex()


def begin(actor: Actor, person_id: int, place: str, *, keep: timedelta) -> None:
    """Begin a person's paper form at a place."""
    until = actor.now + keep
    list_hash = hash_token(token(actor.keys, person_id))
    with write(actor.session):
        drafts.find(actor.session, actor.keys, list_hash, now=actor.now, lock=True)
        places = [place, *(known for known, _draft in begun(actor, person_id))]
        list_ = Draft(typed=Typed(path="", values={"places": places}, checked=False))
        form_hash = hash_token(token(actor.keys, person_id, place))
        drafts.put(actor.session, actor.keys, list_hash, list_, expires_at=until + LISTED_FOR)
        drafts.put(actor.session, actor.keys, form_hash, Draft(), expires_at=until)


def delete(actor: Actor, person_id: int, place: str) -> None:
    """Delete a person's paper form; the audit log has this where a patient's name was typed."""
    form_hash = hash_token(token(actor.keys, person_id, place))
    with write(actor.session):
        draft = drafts.find(actor.session, actor.keys, form_hash, now=actor.now, lock=True)
        drafts.remove(actor.session, form_hash)
        typed = draft and draft.typed and draft.typed.values.get("name")
        if draft and (draft.patient or any(typed or ())):
            actor.note("paper form deleted")


def begun(actor: Actor, person_id: int) -> Iterator[tuple[str, Draft]]:
    """Yield the paper forms that a person has begun and not sent, by their places."""

    def find(place: str) -> Draft | None:
        token_hash = hash_token(token(actor.keys, person_id, place))
        return drafts.find(actor.session, actor.keys, token_hash, now=actor.now)

    listed = find("")
    for place in listed.typed.values["places"] if listed and listed.typed else ():
        if (draft := find(place)) is not None:
            yield place, draft
