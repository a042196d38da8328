"""The public keys of identity providers, from files and https addresses."""

import asyncio
import json
import os

import pytest

from gateway.adapters.jwks_source import FRESH_SECONDS, MOST_BYTES, REFRESH_SECONDS, STALE_SECONDS, JwksSource
from tests.adapters.clock_and_journal import Clock, Journal
from tests.adapters.identity_keys import SET, provider, serving_keys

pytestmark = pytest.mark.anyio


@pytest.fixture
def source():
    """A source that holds nothing yet."""
    made = JwksSource(Journal(), Clock(1000.0))
    made.clock, made.journal = made._clock, made._journal
    return made


def ids(keys):
    """The ids of keys."""
    return [key["kid"] for key in keys]


def filed(path, text=None):
    """A provider whose keys are in a file."""
    path.write_text(json.dumps(SET) if text is None else text)
    return provider(f"file:{path}")


async def test_a_file_is_read_and_read_again_when_it_changes(source, tmp_path):
    """One key by its id, or all of them."""
    path = tmp_path / "keys.json"
    one = filed(path)
    assert (["ec"], [], 4) == (
        ids(await source.keys(one, "ec")),
        ids(await source.keys(one, "new")),
        len(await source.keys(one, None)),
    )
    path.write_text(json.dumps({"keys": [{**SET["keys"][1], "kid": "new"}]}))
    os.utime(path, (1, 1))
    assert (["new"], []) == (ids(await source.keys(one, "new")), ids(await source.keys(one, "ec")))
    assert "<JwksSource of 1 providers>" == repr(source)
    assert [] == source.journal.events


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "its file cannot be read: No such file or directory"),
        ("{", "it is no JSON Web Key Set"),
        ("[]", "it is no JSON Web Key Set"),
        ("{}", "it is no JSON Web Key Set"),
        ("[" * 200_000, "it is no JSON Web Key Set"),
        ('{"keys": {}}', "its keys are no list of at most 100"),
        (json.dumps({"keys": [{}] * 101}), "its keys are no list of at most 100"),
        (" " * (MOST_BYTES + 1), f"its set is over {MOST_BYTES} bytes"),
    ],
)
async def test_a_file_that_is_no_set_holds_no_keys(source, tmp_path, text, reason):
    """Not those that it held before either: who may is what the file says now."""
    path = tmp_path / "keys.json"
    one = filed(path)
    assert ["ec"] == ids(await source.keys(one, "ec"))
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert () == await source.keys(one, "ec")
    ((name, level, fields),) = source.journal.events
    assert ("identity_keys_away", "error", "idp", reason) == (
        name,
        level,
        fields["identity_provider"],
        fields["message"],
    )
    filed(path)
    assert ["ec"] == ids(await source.keys(one, "ec"))


async def test_keys_for_something_else_are_passed_over(source, tmp_path):
    """Secrets, keys for encryption, and what is no key."""
    keys = [{"kty": "oct", "kid": "a"}, {"kty": "RSA", "use": "enc", "kid": "b"}, "c", {"kty": "RSA", "kid": "d"}]
    one = filed(tmp_path / "keys.json", json.dumps({"keys": keys}))
    assert ["d"] == ids(await source.keys(one, None))


async def test_what_was_fetched_is_good_for_a_while(source, certificate):
    """Then it is fetched again; in between nobody is asked, unless a key is not there."""
    with serving_keys(certificate) as server:
        one = provider(server.url, ca_file=str(certificate.authority))
        assert ["ec"] == ids(await source.keys(one, "ec"))
        assert 4 == len(await source.keys(one, None))
        source.clock.now += FRESH_SECONDS - 1
        assert (["ec"], 1) == (ids(await source.keys(one, "ec")), server.asked)
        source.clock.now += 1
        assert (["ec"], 2) == (ids(await source.keys(one, "ec")), server.asked)


async def test_an_unknown_key_is_asked_for_now_and_then(source, certificate):
    """A provider that has changed its keys is noticed, and whoever makes ids up does not make us ask each time."""
    with serving_keys(certificate) as server:
        one = provider(server.url, ca_file=str(certificate.authority))
        await source.keys(one, "ec")
        server.body = json.dumps({"keys": [{**SET["keys"][1], "kid": "new"}]}).encode()
        assert ([], 1) == (ids(await source.keys(one, "new")), server.asked)
        source.clock.now += REFRESH_SECONDS
        assert (["new"], 2) == (ids(await source.keys(one, "new")), server.asked)
        assert ([], 2) == (ids(await source.keys(one, "made-up")), server.asked)


async def test_many_who_ask_at_once_are_one_request(source, certificate):
    """The others wait for its answer."""
    with serving_keys(certificate) as server:
        one = provider(server.url, ca_file=str(certificate.authority))
        found = await asyncio.gather(*(source.keys(one, "ec") for _ in range(10)))
        assert ([["ec"]] * 10, 1) == ([ids(keys) for keys in found], server.asked)


async def test_a_provider_that_is_away_is_done_without_for_a_day(source, certificate):
    """Then its keys are too old, and nobody is known by them."""
    with serving_keys(certificate) as server:
        one = provider(server.url, ca_file=str(certificate.authority))
        await source.keys(one, "ec")
        server.status = 500
        source.clock.now += FRESH_SECONDS
        assert (["ec"], 2) == (ids(await source.keys(one, "ec")), server.asked)
        assert (["ec"], 2) == (ids(await source.keys(one, "ec")), server.asked)
        source.clock.now += STALE_SECONDS - FRESH_SECONDS
        assert () == await source.keys(one, "ec")
        assert {"its address answers with status 500"} == {fields["message"] for *_, fields in source.journal.events}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": 302, "headers": {"location": "https://127.0.0.1:1/"}}, "its address answers with status 302"),
        ({"status": 404}, "its address answers with status 404"),
        ({"body": b" " * (MOST_BYTES + 70_000)}, f"its set is over {MOST_BYTES} bytes"),
        ({"body": b"<html>"}, "it is no JSON Web Key Set"),
    ],
)
async def test_an_answer_that_is_no_set_is_none(source, certificate, changes, reason):
    """A redirect is not followed, and more is not read than a set may have."""
    with serving_keys(certificate) as server:
        for name, value in changes.items():
            setattr(server, name, value)
        one = provider(server.url, ca_file=str(certificate.authority))
        assert () == await source.keys(one, "ec")
        assert [reason] == [fields["message"] for *_, fields in source.journal.events]


@pytest.mark.parametrize("case", ["not trusted", "no authority", "nobody there"])
async def test_an_address_that_cannot_be_reached_has_no_keys(source, certificate, tmp_path, case):
    """A certificate that is not vouched for is as good as none."""
    with serving_keys(certificate) as server:
        ca_file = {"not trusted": None, "no authority": str(tmp_path / "none.pem")}.get(
            case, str(certificate.authority)
        )
        url = "https://127.0.0.1:1/keys" if case == "nobody there" else server.url
        assert () == await source.keys(provider(url, ca_file=ca_file), "ec")
        assert 0 == server.asked
    ((*_, fields),) = source.journal.events
    assert fields["message"].startswith("its address cannot be reached: ")


async def test_another_declaration_of_an_issuer_begins_anew(source, certificate, tmp_path):
    """What was held of the one before is let go of."""
    with serving_keys(certificate) as server:
        one = provider(server.url, ca_file=str(certificate.authority))
        await source.keys(one, "ec")
        other = filed(tmp_path / "keys.json", '{"keys": []}')
        assert () == await source.keys(other, "ec")
        assert (["ec"], 2) == (ids(await source.keys(one, "ec")), server.asked)


async def test_an_answer_that_takes_too_long_is_none(certificate):
    """Whoever sends it a piece at a time does not hold a thread for ever."""
    with serving_keys(certificate) as server:
        source = JwksSource(Journal(), Clock(1000.0), patience=0.0)
        assert () == await source.keys(provider(server.url, ca_file=str(certificate.authority)), "ec")
        ((*_, fields),) = source._journal.events
        assert "its address takes too long to answer" == fields["message"]
