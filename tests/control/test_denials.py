"""Denials of the applications' API: who was refused what, in the audit trail, and nothing of what they sent."""

from contextlib import asynccontextmanager

import pytest

from gateway.control.audit_notes import AuditNotes
from gateway.control.denials import Denials
from gateway.core.api_key import digest_of, name_of_digest, named_key
from gateway.core.app import ANYONE, App
from gateway.core.audit import Origin, Target
from gateway.core.errors import Forbidden, Unauthenticated, Withheld
from tests.control.serving_world import files, route, serving

pytestmark = pytest.mark.anyio

KEY = "pk-declared"
OPERATION = "POST /v1/chat/completions"
DECLARED = f'kind: app\nname: helpdesk\nkeys: [{{sha256: "{digest_of(KEY)}"}}]\nroutes: []'
SALES = "kind: app\nname: sales\nkeys: []"
APPS = files(route(), DECLARED, SALES)
WITHHELD = Withheld("no route 'desk'", "the route is not in the key's list", "desk")


@asynccontextmanager
async def denying(wanted=None):
    """A life with its denials and the notes that they go to."""
    async with serving(APPS if wanted is None else wanted) as process:
        notes = AuditNotes(process.store, process.journal, process.clock)
        process.store.disk.acts.clear()
        yield process, Denials(process.live, notes), notes


def deny(process, denials, text, fault=None):
    """Deny what a credential asks, as the way of a request does."""
    credential = None if text is None else text.encode()
    denials.deny(OPERATION, fault or Unauthenticated(), process.live.current.app_of(credential), credential)


async def told(process, notes):
    """The one denial in the trail: who, why, how they came and what else is told."""
    await notes.write()
    (act,) = [each for each in process.store.disk.acts if each.action == "app.denied"]
    assert (Target("operation", OPERATION), "denied", "service") == (act.target, act.outcome, act.origin.kind)
    return act.actor, act.reason, act.origin.auth, dict(act.details)


@pytest.mark.parametrize(("text", "why"), [(None, "no key"), ("pk-wrong", "no application's key"), ("é", None)])
async def test_who_has_no_key_is_nobody(text, why):
    """Nothing of what they sent is told."""
    async with denying() as (process, denials, notes):
        deny(process, denials, text)
        assert ("unknown", why or "no application's key", "none", {"status": "401"}) == await told(process, notes)
        assert f"<Denials {notes!r}>" == repr(denials)
        (event,) = process.events("app_denied")
        assert ("warning", "unknown", OPERATION) == (event["level"], event["app"], event["operation"])


async def test_a_route_outside_a_keys_list_is_told_with_the_application_and_the_key():
    """A declared key goes by the beginning of its digest."""
    async with denying() as (process, denials, notes):
        deny(process, denials, KEY, WITHHELD)
        named = {"status": "404", "key": name_of_digest(digest_of(KEY)), "route": "desk"}
        assert ("helpdesk", "the route is not in the key's list", "declared", named) == await told(process, notes)
        (act,) = process.store.disk.acts
        assert Origin("service", "application", "declared", None, process.live.current.revision) == act.origin
        assert KEY not in f"{process.store.disk.acts!r}{process.journal.events}"


async def test_a_release_that_may_not_be_forced_is_told():
    """By an issued key, with its id."""
    async with denying() as (process, denials, notes):
        key, text = await process.keys.issue("app", "sales", "ada", None)
        deny(process, denials, text, Forbidden("it is out", "forces a release that gets no requests", "desk", "1.1.0"))
        named = {"status": "403", "key": key.id, "route": "desk", "release": "1.1.0"}
        assert ("sales", "forces a release that gets no requests", "issued", named) == await told(process, notes)


@pytest.mark.parametrize("how", ["revoked", "expired", "not declared"])
async def test_an_issued_key_that_is_not_in_force_is_known(how):
    """Its id is told, and whose it was."""
    why = {"revoked": "its key is revoked", "expired": "its key has expired"}.get(
        how, "its key's application is not declared"
    )
    async with denying() as (process, denials, notes):
        key, text = await process.keys.issue("app", "sales", "ada", 86_400.0)
        if how == "revoked":
            process.keys.revoke("app", key.id, "ada")
        elif how == "expired":
            process.clock.now += 2 * 86_400.0
            process.live.end_keys()
        else:
            await process.serving.reload(files(route(), DECLARED))
        deny(process, denials, text)
        assert ("sales", why, "issued", {"status": "401", "key": key.id}) == await told(process, notes)


async def test_an_id_that_somebody_else_puts_on_a_key_of_their_own_proves_nothing():
    """An id may be shown; only the whole key is its application's."""
    async with denying() as (process, denials, notes):
        key, _ = await process.keys.issue("app", "sales", "ada", None)
        deny(process, denials, named_key("app", key.id, "0" * 32))
        assert ("unknown", "no application's key", "none", {"status": "401"}) == await told(process, notes)


async def test_without_applications_a_credential_is_nobodys():
    """Whoever is on the machine is `local`, whatever they send as a key."""
    async with denying(files(route())) as (process, denials, notes):
        denials.deny(OPERATION, Forbidden("it is out", "forces a release that gets no requests", "desk"), ANYONE, b"x")
        named = {"status": "403", "route": "desk"}
        assert ("local", "forces a release that gets no requests", "none", named) == await told(process, notes)


async def test_a_flood_of_bad_keys_leaves_two_entries_and_one_line():
    """However many different keys it tries: they are one kind of denial."""
    async with denying() as (process, denials, notes):
        for number in range(500):
            deny(process, denials, f"pk-{number}")
        process.clock.now += 61.0
        await notes.write()
        assert [{"status": "401"}, {"status": "401", "times": "499"}] == [
            dict(act.details) for act in process.store.disk.acts
        ]
        assert 1 == len(process.events("app_denied"))


async def test_denials_do_not_starve_each_other():
    """What one application causes leaves the room of another, and of operators, as it was."""
    async with denying() as (process, denials, notes):
        for number in range(200):
            withheld = Withheld("no route", "the route is not in the key's list", f"route-{number}")
            denials.deny(OPERATION, withheld, App("noisy"), b"k")
        denials.deny(OPERATION, WITHHELD, App("quiet"), b"q")
        deny(process, denials, "pk-wrong")
        await notes.write()
        actors = [act.actor for act in process.store.disk.acts]
        assert (60, 1, 1) == tuple(map(actors.count, ("noisy", "quiet", "unknown")))
