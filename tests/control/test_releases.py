"""Releases made ready to serve."""

from dataclasses import replace

import pytest

from gateway.control.policies import load
from gateway.control.releases import compile_release, resolve_providers
from gateway.core.errors import PolicyFault, SetupFault
from gateway.core.price import NoPrice, Price

FILES = {
    "a.yaml": """
kind: provider
name: p
dialect: openai
credential: {env: P_KEY}
---
kind: provider
name: q
dialect: anthropic
credential: {file: /run/q}
---
kind: provider
name: local
dialect: openai
---
kind: model
name: m
provider: p
owner: us
versions: {"1": {upstream_model: m-001, price: {input: 1, output: 2}}}
---
kind: route
name: r
releases:
  "1.0": {model: m@1, prompt: t@1, params: {temperature: 0.20, stop: null}, context: {index: a}}
  "1.1": {model: local/u-2024-01-01}
serve: "1.0"
""",
    "t.prompt": "---\nkind: prompt\nname: t\nversion: 1\n---\nhello\n",
}


class Secrets:
    """Credentials by their sources; one that is missing is a fault as the adapter's is."""

    def __init__(self, **values):
        self.values = {"env:P_KEY": "p-key", "file:/run/q": "q-key"} | values

    def read(self, source):
        value = self.values.get(source)
        if value is None:
            raise SetupFault(f"credential {source}: it is not there; put it there")
        return value


class PriceBook:
    """Knows what it was asked, and one price."""

    def __init__(self):
        self.asked = []

    def pricing(self, dialect, base_url, upstream_model):
        self.asked.append((dialect, base_url, upstream_model))
        return Price(3, 4) if upstream_model == "u-2024-01-01" else None


def compiled(policies, version, book=None, *, dev=False):
    """A release of the route."""
    providers = resolve_providers(policies, Secrets())
    return compile_release(
        "r", policies.routes["r"].releases[version], policies, providers, book or PriceBook(), dev=dev
    )


def test_a_release_is_ready_to_serve():
    """With its model, prompt, provider, and each parameter as JSON."""
    release = compiled(load(FILES), "1.0")
    assert ("r/1.0", "m@1", "t@1", "us", False) == (
        str(release),
        str(release.model),
        str(release.prompt),
        release.model.owner,
        release.dev,
    )
    assert {"temperature": b"0.2", "stop": b"null"} == release.encoded_params
    assert ({"temperature": 0.2, "stop": None}, {"index": "a"}) == (release.params, release.context)
    assert b"Bearer p-key" == release.model.provider.credential.value
    assert load(FILES).routes["r"].releases["1.0"].digest == release.digest


def test_a_stated_price_wins_over_the_price_book():
    """The book is asked for models without one, by where they are."""
    policies, book = load(FILES), PriceBook()
    assert Price(1, 2) == compiled(policies, "1.0", book).model.pricing
    assert [] == book.asked
    assert Price(3, 4) == compiled(policies, "1.1", book).model.pricing
    assert [("openai", "https://api.openai.com/v1", "u-2024-01-01")] == book.asked


def test_an_unknown_price_is_unknown():
    """It is never zero."""
    policies = load({**FILES, "a.yaml": FILES["a.yaml"].replace("u-2024-01-01", "v-2024-01-01")})
    assert isinstance(compiled(policies, "1.1").model.pricing, NoPrice)


def test_a_development_release_is_marked():
    """So that everything downstream can say so."""
    assert compiled(load(FILES), "1.1", dev=True).dev


def test_providers_get_their_credentials():
    """Each in its dialect's header, without the blanks around it; a provider may have none."""
    found = resolve_providers(load(FILES), Secrets(**{"env:P_KEY": " p-key\n"}))
    assert (b"authorization", b"Bearer p-key") == (found["p"].credential.header, found["p"].credential.value)
    assert (b"x-api-key", b"q-key") == (found["q"].credential.header, found["q"].credential.value)
    assert found["local"].credential is None
    assert replace(found["p"], credential=None) == load(FILES).providers["p"].provider


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (None, "credential env:P_KEY: it is not there; put it there"),
        (" \n", "credential env:P_KEY: empty; put the secret there"),
        ("two\nlines", "credential env:P_KEY: holds characters that a header cannot carry; correct it"),
        (
            "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
            "credential env:P_KEY: holds characters that a header cannot carry; correct it",
        ),
    ],
)
def test_a_credential_that_cannot_be_used_is_told_without_its_value(secret, problem):
    """At the provider's place."""
    with pytest.raises(PolicyFault) as caught:
        resolve_providers(load(FILES), Secrets(**{"env:P_KEY": secret}))
    assert [f"a.yaml:2: provider p: {problem}"] == [str(found) for found in caught.value.problems]


def test_every_missing_credential_is_told():
    """All at once, in order."""
    with pytest.raises(PolicyFault) as caught:
        resolve_providers(load(FILES), Secrets(**{"env:P_KEY": None, "file:/run/q": None}))
    assert [2, 7] == [problem.line for problem in caught.value.problems]


def test_a_fault_without_a_remedy_gets_one():
    """Every problem says what to do."""

    class Mute(Secrets):
        """Says no more than that."""

        def read(self, source):
            raise SetupFault(f"{source} is not there")

    with pytest.raises(PolicyFault, match="env:P_KEY is not there; set it and reload"):
        resolve_providers(load(FILES), Mute())
