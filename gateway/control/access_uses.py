"""The use of access, noted in memory as it happens and kept in the store now and then: never on a request's way."""

from gateway.control.live import Live
from gateway.core.access import Permission
from gateway.core.access_use import AccessUse, day_of
from gateway.core.api_key import digest_of
from gateway.core.operator import Operator


class AccessUses:
    """Notes what operators and applications use, and knows what was ever used."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._noted = AccessUse()

    def __repr__(self) -> str:
        return f"<AccessUses {len(self._noted.grants)} grants and {len(self._noted.keys)} keys to keep>"

    def note(self, operator: Operator, permission: Permission, token: str | None) -> None:
        """Note that an operator did what a permission allows, with a Bearer token or without. Returns at once."""
        now = self._live.world.clock.wall()
        is_key = operator.identified in ("declared", "issued")
        keys = {digest_of(token): now} if is_key and token is not None else {}
        self._noted = self._noted.joined(AccessUse(keys, {(operator.name, permission): day_of(now)}))

    async def keep(self) -> None:
        """Write what has been noted since the last time; what cannot be written waits.

        Raises:
            StoreFault: the store cannot be written.
        """
        noted = self._gathered()
        if not noted.keys and not noted.grants:
            return
        self._noted = AccessUse()
        try:
            await self._live.world.store.keep_use(noted)
        except BaseException:
            self._noted = self._noted.joined(noted)
            raise

    async def latest(self) -> AccessUse:
        """Give the latest use of everything: what is recorded, and what is yet to be.

        Raises:
            StoreFault: the store cannot be read.
        """
        return (await self._live.world.store.access_use()).joined(self._gathered())

    def _gathered(self) -> AccessUse:
        now = self._live.world.clock.wall()
        self._noted = self._noted.joined(AccessUse(dict.fromkeys(self._live.taken_use(), now)))
        return self._noted
