"""The exception for an input that has faults."""

from collections.abc import Iterable
from typing import Generic, TypeVar

Faults = TypeVar("Faults", bound=Iterable[object])


class InvalidInput(Exception, Generic[Faults]):
    """Raised with every fault of an input at once. Its text has one fault a line."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
