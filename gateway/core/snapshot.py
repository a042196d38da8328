"""A snapshot: all that a request needs to be routed, as one immutable value."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.api_key import id_of
from gateway.core.app import ANYONE, App
from gateway.core.identity_provider import IdentityProvider
from gateway.core.operator import Operators
from gateway.core.route import Route


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What serves at one epoch.

    `keys` maps the SHA-256 digest of an application's key to the application; with no application declared it is
    empty and `open` is true. `revision` is the digest of the policy files behind it. `operators` are those of the
    operations API, `identity_providers` by name are who else may know them. `issued` are the ids of all issued keys
    that are known, also of those that let nobody in, while the store is away and may hold others; None while it is
    there.
    """

    epoch: int
    revision: str
    routes: Mapping[str, Route]
    keys: Mapping[bytes, App] = field(default_factory=dict, repr=False)
    open: bool = False
    dev: bool = False
    operators: Operators = field(default_factory=Operators)
    identity_providers: Mapping[str, IdentityProvider] = field(default_factory=dict)
    issued: frozenset[str] | None = field(default=None, repr=False)
    _known: dict[bytes, App] = field(default_factory=dict, init=False, repr=False, compare=False)

    def app_of(self, credential: bytes | None) -> App | None:
        """Find the application that a credential belongs to; None when it belongs to none.

        The look-up is by digest of the whole credential, so its timing tells nothing about a stored key. A key that was
        good once is known from then on by itself.
        """
        if self.open:
            return ANYONE
        if not credential:
            return None
        app = self._known.get(credential)
        if app is None:
            app = self.keys.get(hashlib.sha256(credential).digest())
            if app is not None:
                self._known[credential] = app
        return app

    def is_in_doubt(self, credential: bytes | None) -> bool:
        """Say whether a credential that lets nobody in may be a key that the store, which is away, knows of.

        Only what has the form and the checksum of an issued key may be; what is known to be revoked is not.
        """
        if self.issued is None or not credential:
            return False
        key = id_of(credential.decode("latin-1"), "app")
        return key is not None and key not in self.issued

    def taken_use(self) -> frozenset[str]:
        """Give which keys were used since this was last asked, by their SHA-256 in hexadecimal.

        What is known is what was used, so that it costs requests nothing. It is forgotten, to be looked up anew.
        """
        used = frozenset(hashlib.sha256(credential).hexdigest() for credential in self._known)
        self._known.clear()
        return used
