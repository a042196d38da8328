"""Who asks at the operations API: the operator that a token belongs to, or nobody."""

import hashlib
import hmac
from collections.abc import Callable

from gateway.core.api_key import id_of
from gateway.core.errors import NotPermitted, Unidentified
from gateway.core.operator import BREAK_GLASS, LOCAL, TOKEN_HOLDER, Operator
from gateway.core.ports import TokenVerifier
from gateway.core.snapshot import Snapshot


class Identification:
    """Knows operators by the snapshot that serves, and whoever has the admin token."""

    def __init__(self, current: Callable[[], Snapshot], verifier: TokenVerifier, admin_token: str | None) -> None:
        """`admin_token` is that of PINION_ADMIN_TOKEN, None where it is not set."""
        self._current = current
        self._verifier = verifier
        self._admin_token = admin_token

    def __repr__(self) -> str:
        return f"<Identification of {len(self._current().operators.by_name)} operators>"

    async def identify(self, bearer: str | None, *, names_loopback: bool) -> Operator:
        """Name the operator who asks with a Bearer token, or with none.

        Where no operator is declared and there is no admin token, whoever names loopback as the host is `local`: a web
        page whose own name was pointed there names that.

        Raises:
            Unidentified: nobody is known by this token.
            NotPermitted: without an operator, the request does not name loopback.
        """
        operators = self._current().operators
        if bearer is not None and self._is_admin(bearer):
            return BREAK_GLASS if operators.by_name else TOKEN_HOLDER
        if operators.by_name:
            found = None if bearer is None else await self._known(bearer)
            if found is None:
                raise Unidentified("this needs the token of an operator, as a Bearer token")
            return found
        if self._admin_token is not None:
            raise Unidentified("this needs the operator token, as a Bearer token")
        if not names_loopback:
            raise NotPermitted("without an operator token this answers to loopback names alone")
        return LOCAL

    def _is_admin(self, bearer: str) -> bool:
        return self._admin_token is not None and hmac.compare_digest(bearer.encode(), self._admin_token.encode())

    async def _known(self, bearer: str) -> Operator | None:
        """Look a token up by its digest, whose timing tells nothing of a stored one; else ask who vouches for it."""
        if id_of(bearer, "operator") is not None:
            return self._current().operators.by_token.get(hashlib.sha256(bearer.encode()).digest())
        providers = tuple(self._current().identity_providers.values())
        if not providers:
            return None
        found = await self._verifier.subject(bearer, providers)
        return None if found is None else self._current().operators.by_subject.get(found)
