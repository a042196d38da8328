"""Providers, models and prompts of policy files."""

import pytest

from gateway.control.policies import CredentialSource, load
from gateway.core.digest import digest
from gateway.core.errors import PolicyFault
from gateway.core.price import Price
from gateway.core.provider import ClientCertificate, Timeouts

PROVIDER = "kind: provider\nname: p\ndialect: openai\n"
MODEL = "---\nkind: model\nname: m\nprovider: p\nowner: us\nversions:\n"


def warnings_of(policies):
    """The warnings as they are printed."""
    return [str(warning) for warning in policies.warnings if "declares no route" not in warning.problem]


def refusal(files):
    """What is wrong with a set, as it is printed."""
    with pytest.raises(PolicyFault) as caught:
        load(files)
    return [str(problem) for problem in caught.value.problems]


def model(keys, provider=PROVIDER):
    """The one model version that a set declares."""
    policies = load({"a.yaml": f'{provider}{MODEL}  "1": {keys}\n'})
    return policies.models["m@1"]


SECURE = PROVIDER + "base_url: https://p.test/v1\n"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", "native"),
        ("transport: native", "native"),
        ("transport: httpx", "httpx"),
        ("proxy: http://proxy:3128", "httpx"),
        ("http2: true", "httpx"),
        ("client_certificate: {cert: /c.pem, key: /c.key}", "httpx"),
        ("http2: true\ntransport: httpx", "httpx"),
    ],
)
def test_the_transport_is_the_fast_one_unless_something_needs_the_other(more, expected):
    """What only one transport does chooses it, so that nobody has to know."""
    assert expected == load({"a.yaml": SECURE + more + "\n"}).providers["p"].provider.transport


def test_what_httpx_alone_does_passes_into_the_provider():
    """HTTP/2 and the certificate that Pinion shows."""
    more = "http2: true\nclient_certificate: {cert: /c.pem, key: /c.key}\n"
    provider = load({"a.yaml": SECURE + more}).providers["p"].provider
    assert (True, ClientCertificate("/c.pem", "/c.key")) == (provider.http2, provider.client_certificate)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("proxy: http://proxy:3128", "provider p: transport: native has no proxy; write httpx, or leave transport out"),
        ("http2: true", "provider p: transport: native has no http2; write httpx, or leave transport out"),
        (
            "client_certificate: {cert: a, key: b}",
            "provider p: transport: native has no client_certificate; write httpx, or leave transport out",
        ),
    ],
)
def test_native_is_refused_where_it_cannot(more, told):
    """A transport that was named is not changed silently for another."""
    assert [f"a.yaml:5: {told}"] == refusal({"a.yaml": SECURE + f"transport: native\n{more}\n"})


@pytest.mark.parametrize("more", ["http2: true", "client_certificate: {cert: a, key: b}"])
def test_what_goes_with_tls_is_refused_without(more):
    """HTTP/2 is agreed on, and certificates are shown, in TLS's handshake."""
    key = more.partition(":")[0]
    text = PROVIDER + "base_url: http://127.0.0.1:1/v1\n" + more + "\n"
    told = f"provider p: {key} goes with TLS, and http://127.0.0.1:1/v1 has none; leave it out, or use https"
    assert [f"a.yaml:5: {told}"] == refusal({"a.yaml": text})


@pytest.mark.parametrize(
    ("dialect", "base_url", "keys", "expected"),
    [
        ("openai", "https://api.openai.com/v1", "{env: A}", CredentialSource("env:A", b"authorization", "Bearer ")),
        ("anthropic", "https://api.anthropic.com", "{env: A}", CredentialSource("env:A", b"x-api-key", "")),
        (
            "gemini",
            "https://generativelanguage.googleapis.com",
            "{file: /run/a}",
            CredentialSource("file:/run/a", b"x-goog-api-key", ""),
        ),
        (
            "openai",
            "https://api.openai.com/v1",
            "{env: A, header: Api-Key}",
            CredentialSource("env:A", b"api-key", ""),
        ),
        (
            "anthropic",
            "https://api.anthropic.com",
            "{env: A, header: authorization}",
            CredentialSource("env:A", b"authorization", "Bearer "),
        ),
        (
            "openai",
            "https://api.openai.com/v1",
            "{env: A, scheme: Key}",
            CredentialSource("env:A", b"authorization", "Key "),
        ),
        (
            "openai",
            "https://api.openai.com/v1",
            '{env: A, scheme: ""}',
            CredentialSource("env:A", b"authorization", ""),
        ),
    ],
)
def test_a_provider_has_its_dialects_address_and_header(dialect, base_url, keys, expected):
    """Unless the file says otherwise."""
    policies = load({"a.yaml": f"kind: provider\nname: p\ndialect: {dialect}\ncredential: {keys}\n"})
    policy = policies.providers["p"]
    assert (base_url, None) == (policy.provider.base_url, policy.provider.credential)
    assert expected == policy.credential
    assert (("/run/a",) if "file" in keys else ()) == policies.credential_files


def test_a_provider_is_reached_as_it_says():
    """Timeouts, retries, connections, certificates and proxy pass into the core's value."""
    more = (
        "timeouts: {connect: 1s, total: 1h}\nretries: 0\nmax_connections: 5\nca_file: /ca.pem\n"
        "proxy: http://proxy:3128\n"
    )
    provider = load({"a.yaml": PROVIDER + more}).providers["p"].provider
    assert Timeouts(connect=1.0, total=3600.0) == provider.timeouts
    assert (0, 5, "/ca.pem", "http://proxy:3128") == (
        provider.retries,
        provider.max_connections,
        provider.ca_file,
        provider.proxy,
    )


@pytest.mark.parametrize(
    ("dialect", "base_url", "doubt"),
    [
        (
            "openai",
            "http://api.example.com/v1",
            " is http://api.example.com/v1, where anyone on the way can read and change what passes; use https",
        ),
        (
            "openai",
            "https://api.example.com",
            " is https://api.example.com, which has no version in its path; "
            "write it as OpenAI's SDK takes it, with /v1",
        ),
        (
            "anthropic",
            "https://a.example.com/v1/",
            " is https://a.example.com/v1/, to which /v1 is added; write it as Anthropic's SDK takes it, without /v1",
        ),
        ("openai", "http://127.0.0.1:9000/v1", None),
        ("openai", "'http://[::1]:9000/openai/v1'", None),
        ("openai", "http://localhost/v1", None),
        ("openai", "https://a.example.com/paas/v4", None),
        ("anthropic", "https://a.example.com", None),
    ],
)
def test_an_address_that_will_hardly_work_is_warned_of(dialect, base_url, doubt):
    """It may still be meant, so it is no problem."""
    policies = load({"a.yaml": f"kind: provider\nname: p\ndialect: {dialect}\nbase_url: {base_url}\n"})
    assert ([] if doubt is None else [f"a.yaml:4: provider p: base_url{doubt}"]) == warnings_of(policies)


def test_a_model_version_is_pinned_to_its_upstream_name():
    """Answers must carry that name, and the price is the stated one."""
    policy = model("{upstream_model: u-2024-08-06, price: {input: 2.5, output: 10}, fingerprint: fp}")
    assert ("m", "1", "p", "u-2024-08-06", "us") == (
        policy.name,
        policy.version,
        policy.provider_name,
        policy.upstream_model,
        policy.owner,
    )
    assert ("u-2024-08-06", "fp", Price(2.5, 10)) == (policy.served_model, policy.fingerprint, policy.price)
    assert "a.yaml:10" == str(policy.where)


@pytest.mark.parametrize(
    ("keys", "served"),
    [
        ("{upstream_model: u-2024-08-06, served_model: U/u}", "U/u"),
        ("{upstream_model: u-2024-08-06, floating: the date is a region}", None),
        ("{upstream_model: u, floating: the provider offers no dated name}", None),
        ("{upstream_model: u, served_model: u, floating: no dated name}", "u"),
    ],
)
def test_the_name_that_answers_carry(keys, served):
    """It is stated, or the upstream name where that is exact, or unknown."""
    assert served == model(keys).served_model


def test_an_undated_name_is_warned_of():
    """Until the reason is given."""
    policies = load({"a.yaml": f'{PROVIDER}{MODEL}  "1": {{upstream_model: u}}\n'})
    assert [
        "a.yaml:10: model m: versions.1.upstream_model: 'u' has no date or version, so its model may change; "
        "name a dated one, or say why not with floating:"
    ] == warnings_of(policies)
    assert policies.models["m@1"].served_model is None


def test_latest_is_refused():
    """No reason makes it exact."""
    keys = "{upstream_model: u-latest, floating: we like it}"
    assert [
        "a.yaml:10: model m: versions.1.upstream_model: 'u-latest' means another model from time to time; "
        "name a dated one"
    ] == refusal({"a.yaml": f'{PROVIDER}{MODEL}  "1": {keys}\n'})


def test_a_models_digest_covers_what_changes_answers():
    """Not its price, owner, or where the provider is."""
    plain = model("{upstream_model: u-001}")
    assert plain.digest == model("{upstream_model: u-001, price: {input: 1, output: 1}}").digest
    assert plain.digest == model("{upstream_model: u-001}", f"{PROVIDER}base_url: https://x.example.com/v1\n").digest
    for keys in (
        "{upstream_model: u-002}",
        "{upstream_model: u-001, fingerprint: f}",
        "{upstream_model: u-001, served_model: v}",
    ):
        assert plain.digest != model(keys).digest
    assert plain.digest != model("{upstream_model: u-001}", PROVIDER.replace("openai", "anthropic")).digest


def test_an_unknown_provider_is_told_once():
    """References to its models are not told again."""
    route = '---\nkind: route\nname: r\nreleases: {"1": {model: m@1}}\nserve: "1"\n'
    assert ["a.yaml:7: model m: provider: there is no provider 'p'; did you mean 'pp'? correct it"] == refusal(
        {"a.yaml": f'{PROVIDER.replace("name: p", "name: pp")}{MODEL}  "1": {{upstream_model: u-001}}\n{route}'}
    )


def shorthand(*names, more=""):
    """A set whose one route has a release for each model."""
    releases = "".join(f'  "{number}": {{model: {name}}}\n' for number, name in enumerate(names))
    return {"a.yaml": f'{PROVIDER}---\nkind: route\nname: r\nserve: "0"\nreleases:\n{releases}{more}'}


def test_a_release_may_register_a_model():
    """The upstream name's date is its version."""
    policies = load(shorthand("p/gpt-4o-2024-08-06", "p/meta-llama/llama-3-8b-001"))
    assert ["gpt-4o@2024-08-06", "meta-llama/llama-3-8b-001@meta-llama/llama-3-8b-001"] == list(policies.models)
    assert "gpt-4o@2024-08-06" == policies.routes["r"].releases["0"].model
    assert ["gpt-4o-2024-08-06", "meta-llama/llama-3-8b-001"] == [m.upstream_model for m in policies.models.values()]


def test_a_declared_model_is_not_registered_again():
    """The release gets the declared one, price and all."""
    declared = (
        "---\nkind: model\nname: gpt-4o\nprovider: p\nversions:\n"
        "  2024-08-06: {upstream_model: gpt-4o-2024-08-06, price: {input: 1, output: 2}}\n"
    )
    policies = load(shorthand("p/gpt-4o-2024-08-06", more=declared))
    assert Price(1, 2) == policies.models["gpt-4o@2024-08-06"].price


def test_two_models_cannot_register_one_version():
    """A version stands for one upstream model of one provider."""
    other = PROVIDER.replace("name: p", "name: q")
    assert [
        "a.yaml:10: route r: releases.1.model: 'q/gpt-4o-2024-08-06' registers gpt-4o@2024-08-06, which stands for "
        "p/gpt-4o-2024-08-06; declare one of the two as kind: model under another name; the first is at a.yaml:9"
    ] == refusal(shorthand("p/gpt-4o-2024-08-06", "q/gpt-4o-2024-08-06", more=f"---\n{other}"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("q/gpt-4o-2024-08-06", "there is no provider 'q'; did you mean 'p'? correct it"),
        ("p/", "'p/' names no upstream model; write provider/upstream-name, or model@version"),
        ("p/a b", "'p/a b' names no upstream model; write provider/upstream-name, or model@version"),
        ("p/gpt-latest", "'gpt-latest' means another model from time to time; name a dated one"),
        ("gpt-4o@1", "there is no model 'gpt-4o@1'; correct it, or declare that model"),
    ],
)
def test_a_model_that_cannot_be_is_told(name, problem):
    """With the release that names it."""
    found = refusal(shorthand(name))
    expected = f"a.yaml:9: route r: releases.0.model: {problem}"
    assert [expected.replace("; did you mean 'p'? correct it", "; correct it, or declare that provider")] == found


def test_a_prompt_is_a_value_of_the_core():
    """Its digest covers text, inputs, place and schema, and not its owner."""
    front = "---\nkind: prompt\nname: t\nversion: 1.0.0\nowner: {}\ninput: {{a: string}}\n---\nHello {{{{a}}}}\n"
    prompt = load({"t.prompt": front.format("us")}).prompts["t@1.0.0"]
    assert ("t@1.0.0", "Hello {{a}}", {"a": "string"}, "system", None, "us") == (
        str(prompt),
        prompt.text,
        prompt.inputs,
        prompt.place,
        prompt.output_schema,
        prompt.owner,
    )
    content = {"text": "Hello {{a}}", "inputs": {"a": "string"}, "place": "system", "output_schema": None}
    assert digest(content) == prompt.digest == load({"t.prompt": front.format("them")}).prompts["t@1.0.0"].digest


def test_a_prompts_text_and_inputs_agree():
    """A variable that is not declared is a problem, one that is not used a warning."""
    used = "---\nkind: prompt\nname: t\nversion: 1.0.0\n---\nHello {{a}}\n"
    assert [
        "t.prompt:6: prompt t: text uses the variable 'a', which is not declared; declare it: input: {a: string}"
    ] == refusal({"t.prompt": used})
    unused = "---\nkind: prompt\nname: t\nversion: 1.0.0\ninput:\n  b: number\n---\nHello\n"
    assert ["t.prompt:6: prompt t: input.b is declared, and the text does not use it; use it, or remove it"] == (
        warnings_of(load({"t.prompt": unused}))
    )
