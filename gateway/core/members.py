"""Members of enumerations, found as fast as any other attribute: for those that a request's way asks for."""

from enum import Enum
from typing import TypeVar

E = TypeVar("E", bound=Enum)


def at_hand(kind: type[E]) -> type[E]:
    """Put an enumeration's members into its class itself, where Python keeps them from 3.12 on.

    In 3.11 every look-up of a member by its name calls a function of the library, at four times the time, and a request
    makes some twenty of them.
    """
    for name, member in kind.__members__.items():
        type.__setattr__(kind, name, member)  # the class's own way does not let members be set
    return kind
