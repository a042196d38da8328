"""Acts of other gateways, heard of before they are recorded: what they took out of traffic is out here at once, too.

Whoever acted records it. Until the store shows it, it is put upon everything that is read of the store; one that the
store does not show in time, since its gateway was lost before it could record it, is recorded here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.control.breakers import Breakers
from gateway.control.live import UNKNOWN_EPOCH, Live
from gateway.core.audit import BY_GATEWAY, ITSELF, AuditAct
from gateway.core.audit_acts import act_of_keys, act_of_standing
from gateway.core.errors import Overtaken
from gateway.core.fleet_message import Act, Closed, KeyOut, Look, Opened, Out, RolloutOut, VersionOut
from gateway.core.heard import put
from gateway.core.recorded import ArmOut, Recorded
from gateway.core.route_record import GATEWAY

MOST_HEARD = 1_000
"""How many acts are kept at most; what comes beyond them is found in the store."""

UNRECORDED = "heard of a gateway that did not record it"


@dataclass(slots=True)
class _Heard:
    """An act, and the monotonic time it was heard at."""

    out: Out
    at: float


class HeardActs:
    """Acts on what is heard.

    `look` has the store looked at soon. `patience` is how many seconds an act has to be recorded by whoever did it;
    gateways should differ in it, so that one records what none has.
    """

    def __init__(self, live: Live, breakers: Breakers, look: Callable[[], None], patience: float) -> None:
        self._live = live
        self._breakers = breakers
        self._look = look
        self._patience = patience
        self._heard: list[_Heard] = []
        live.amend_by(self.amended)

    def __repr__(self) -> str:
        return f"<HeardActs {len(self._heard)} to be recorded>"

    def hear(self, said: Act) -> bool:
        """Act on a message; say whether there was anything to do.

        Raises:
            OverflowError: too many acts wait to be recorded.
        """
        now = self._live.world.clock.monotonic()
        if isinstance(said, Look):
            self._look()
            return True
        if isinstance(said, Closed):
            return self._breakers.close(said.route, said.release, now, said.probed)
        if isinstance(said, Opened):
            return self._breakers.open(said.route, said.release, said.rule, now)
        if len(self._heard) >= MOST_HEARD:
            raise OverflowError("too many acts of others wait to be recorded; this one is found in the store")
        if all(said != each.out for each in self._heard):
            self._heard.append(_Heard(said, now))
        return self._act(said)

    def amended(self, recorded: Recorded) -> Recorded:
        """Give what is recorded with everything that was heard, and is not recorded yet, taken out of it."""
        for each in self._heard:
            recorded = _put_unrecorded(recorded, each.out) or recorded
        return recorded

    async def settle(self, *, store_is_away: bool) -> None:
        """Record what nobody has recorded in time, and forget what is; nobody can while the store is away.

        Raises:
            StoreFault: the store cannot be read.
        """
        now = self._live.world.clock.monotonic()
        if store_is_away:
            for each in self._heard:
                each.at = now
        overdue = [each for each in self._heard if now - each.at >= self._patience]
        if not overdue:
            return
        recorded = await self._live.world.store.recorded()
        self._heard = [each for each in self._heard if each not in overdue]
        for each in overdue:
            self._record(recorded, each.out)

    def _act(self, out: Out) -> bool:
        """Serve without what is out, if it is not out already."""
        live = self._live
        after = _put_unrecorded(live.known(), out)
        if after is None:
            return False
        live.remember(after)
        match out:
            case RolloutOut() | ArmOut():
                if out.route in live.current.routes:
                    live.swap_route(out.route)
            case VersionOut():
                live.swap_all()
            case KeyOut():
                live.swap_keys()
        said = " ".join(out.key) if isinstance(out, VersionOut) else out.key if isinstance(out, KeyOut) else out.route
        live.world.journal.event("out_elsewhere", level="warning", kind=type(out).__name__, what=said)
        return True

    def _record(self, recorded: Recorded, out: Out) -> None:
        """Have an act recorded that the store does not show, in the gateway's own name: it knows nobody else's word."""
        ours = _in_our_name(out)
        after = put(recorded, ours)
        if after is None:
            return
        live, store = self._live, self._live.world.store
        live.remember(replace(live.known(), epoch=UNKNOWN_EPOCH))  # what is recorded here is another revision
        now = live.world.clock.wall()
        match ours:
            case RolloutOut():
                before, record = recorded.routes[ours.route], after.routes[ours.route]
                if record.rollout is not None:
                    events = [(ours.verb, record.rollout)]
                    move = live.move(before, record, events, BY_GATEWAY)
                    live.record_out_later(f"{ours.verb} of {ours.route}, {UNRECORDED}", move)
            case ArmOut():
                live.record_arm_later(ours)
            case VersionOut():
                standing = next(each for each in after.standings if each.key == ours.key)
                act: AuditAct = act_of_standing(standing, "revoke", ITSELF)

                async def write() -> None:
                    try:
                        live.noted(await store.record_standing(standing, act))
                    except Overtaken:  # somebody else has moved it; it is out once that is read, or is recorded upon it
                        self._heard.append(_Heard(out, live.world.clock.monotonic()))
                        self._look()

                live.recording.add(f"{standing} out, {UNRECORDED}", write)
            case KeyOut():
                revoked = [next(key for key in after.keys if key.id == ours.key)]
                live.record_keys_later(f"key {ours.key} revoked", revoked, act_of_keys(revoked, "revoke", ITSELF, now))


def _put_unrecorded(recorded: Recorded, out: Out) -> Recorded | None:
    """Take something out whose record is not read yet: what is decided next rests on the revisions that were read.

    The next one may come to be another gateway's, of something else.
    """
    after = put(recorded, out)
    if after is None:
        return None
    match out:
        case RolloutOut():
            record = replace(after.routes[out.route], revision=recorded.routes[out.route].revision)
            return replace(after, routes={**after.routes, out.route: record})
        case VersionOut():
            read = {each.key: each.revision for each in recorded.standings}
            standings = [replace(each, revision=read[each.key]) for each in after.standings]
            return replace(after, standings=standings)
    return after


def _in_our_name(out: Out) -> Out:
    if isinstance(out, KeyOut):
        return replace(out, actor=GATEWAY)
    told = replace(out, reason=f"{out.reason} ({UNRECORDED})")
    return replace(told, actor=GATEWAY) if isinstance(told, RolloutOut) else told
