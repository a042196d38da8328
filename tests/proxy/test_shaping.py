"""The request as it leaves: what is pinned wins, and every other byte passes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.provider import Credential
from tests.proxy.playbook import Play, prompt, provider, release, route

VARIABLES = {"variables": {"product": "lamps"}}
TEXT = "You help with lamps."
SYSTEM = {"role": "system", "content": "own"}
USER = {"role": "user", "content": "hi"}


def sent(stable, path="/v1/chat/completions", **request):
    """The one request that leaves for what was asked of a route with this stable release."""
    play = Play(route(stable=stable))
    _, downstream = play.ask(path=path, **request)
    assert downstream.status is None, downstream.body
    return play.upstream.last


def refusal(stable, path="/v1/chat/completions", **request):
    """The message of the 400 that a request meets, with nothing sent."""
    play = Play(route(stable=stable))
    _, downstream = play.ask(path=path, **request)
    assert (400, []) == (downstream.status, play.upstream.calls)
    return downstream.json["error"]["message"]


def anthropic(**changes):
    """A release of Anthropic's dialect."""
    return release("1.0.0", provider=provider("anthropic"), **changes)


# What wins


def test_the_releases_model_and_parameters_win():
    """Over what the application sent; what it left out is added."""
    body = sent(release("1.0.0", params={"temperature": 0.2, "seed": 7}), temperature=1.0, top_p=0.5).json
    assert ("atlas-1.0.0", 0.2, 7, 0.5) == (body["model"], body["temperature"], body["seed"], body["top_p"])


def test_the_model_wins_over_a_parameter_of_that_name():
    """The pin is the pin."""
    assert "atlas-1.0.0" == sent(release("1.0.0", params={"model": "other"})).json["model"]


def test_count_tokens_takes_no_sampling_parameters():
    """It counts what would be sent, with the release's prompt."""
    call = sent(
        anthropic(params={"temperature": 0.2}, prompt=prompt()), path="/v1/messages/count_tokens", prompt=VARIABLES
    )
    assert {"model": "atlas-1.0.0", "messages": [USER], "system": TEXT} == call.json


@pytest.mark.untraced
@given(
    st.dictionaries(
        st.text(max_size=8).filter(lambda key: key not in {"model", "prompt", "stream", "stream_options"}),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=6,
    ),
    st.integers(0, 6),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_every_other_byte_passes(members, place, indent, ascii_only):
    """Unknown members, their order, spelling and spacing are the application's."""
    items = list(members.items())
    items.insert(min(place, len(items)), ("model", "desk"))
    text = json.dumps(dict(items), indent=indent, ensure_ascii=ascii_only)
    body = text.encode("utf-8", "surrogatepass")
    call = sent(release("1.0.0"), body=body)
    assert body.replace(b'"model": "desk"', b'"model": "atlas-1.0.0"', 1) == call.request.body


def test_whatever_its_spelling_the_model_is_found():
    """An escaped key is the same key."""
    call = sent(release("1.0.0"), body=b'{"a":1 ,"\\u006dodel":"desk", "z" : [ ]}')
    assert b'{"a":1 ,"\\u006dodel":"atlas-1.0.0", "z" : [ ]}' == call.request.body


# Where it goes, and with what


@pytest.mark.parametrize(
    ("dialect", "path", "target"),
    [
        ("openai", "/v1/chat/completions", "http://up.test/v1/chat/completions"),
        ("openai", "/v1/completions", "http://up.test/v1/completions"),
        ("openai", "/v1/embeddings", "http://up.test/v1/embeddings"),
        ("openai", "/v1/responses", "http://up.test/v1/responses"),
        ("anthropic", "/v1/messages", "http://up.test/v1/messages"),
        ("anthropic", "/v1/messages/count_tokens", "http://up.test/v1/messages/count_tokens"),
        ("anthropic", "/v1/messages?beta=true", "http://up.test/v1/messages?beta=true"),
        ("anthropic", "/v1/messages?key=sk-test&beta=true&%4bEY=sk-test", "http://up.test/v1/messages?beta=true"),
        ("openai", "/v1/chat/completions?api_key=sk-test", "http://up.test/v1/chat/completions"),
        ("openai", "/v1/completions?a=%20/~&b=ü #x", "http://up.test/v1/completions?a=%20/~&b=%C3%BC%20%23x"),
    ],
)
def test_each_endpoint_has_its_place_at_the_provider(dialect, path, target):
    """Under the base URL, with the query; nothing in a query can end or break the target."""
    call = sent(release("1.0.0", provider=provider(dialect)), path=path)
    assert target == call.request.target


def test_a_base_url_may_end_with_a_slash():
    """It is not doubled."""
    source = provider(base_url="http://up.test/v1/")
    assert "http://up.test/v1/chat/completions" == sent(release("1.0.0", provider=source)).request.target


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_the_clients_credential_never_leaves(header):
    """The provider's own is sent in its place, and once."""
    key = "Bearer sk-test" if header == "authorization" else "sk-test"
    call = sent(release("1.0.0"), headers={"authorization": "", header: key, "cookie": "sk-test", "x-pinion-unit": "u"})
    assert "sk-test" not in repr(call.request.headers)
    assert [b"Bearer sk-provider"] == [value for name, value in call.request.headers if name == b"authorization"]


def test_a_credential_has_its_own_header():
    """The client's header of that name stays behind, whatever it holds."""
    source = provider(credential=Credential("env:K", b"x-team", b"secret"))
    call = sent(release("1.0.0", provider=source), headers={"x-team": "mine"})
    assert [b"secret"] == [value for name, value in call.request.headers if name == b"x-team"]


def test_a_provider_without_a_credential_gets_none():
    """Neither its own nor the client's."""
    call = sent(release("1.0.0", provider=provider(credential=None)))
    assert b"authorization" not in dict(call.request.headers)


def test_what_the_provider_may_see_passes_and_the_answer_is_asked_for_unpacked():
    """Beta headers and traces go on; the body is read on its way back, so it must come plain."""
    given_ = {"traceparent": "00-1-2-01", "anthropic-beta": "x", "accept-encoding": "br", "x-forwarded-for": "10.0.0.1"}
    fields = dict(sent(release("1.0.0"), headers=given_).request.headers)
    assert (b"00-1-2-01", b"x", b"identity") == (
        fields[b"traceparent"],
        fields[b"anthropic-beta"],
        fields[b"accept-encoding"],
    )
    assert b"x-forwarded-for" not in fields


# Usage


@pytest.mark.parametrize(
    ("path", "options", "leaves"),
    [
        ("/v1/chat/completions", None, {"include_usage": True}),
        ("/v1/completions", None, {"include_usage": True}),
        ("/v1/chat/completions", {"include_usage": False, "x": 1}, {"include_usage": True, "x": 1}),
        ("/v1/chat/completions", {"include_usage": True}, {"include_usage": True}),
        ("/v1/chat/completions", "rubbish", {"include_usage": True}),
        ("/v1/responses", None, None),
        ("/v1/responses", {"include_obfuscation": False}, {"include_obfuscation": False}),
    ],
)
def test_a_stream_is_asked_for_its_usage_where_it_must_be(path, options, leaves):
    """Options that Pinion does not know stay as they are."""
    call = sent(release("1.0.0"), path=path, stream=True, stream_options=options)
    assert leaves == call.json.get("stream_options")


def test_a_whole_answer_is_not_asked_for_usage():
    """It always has it."""
    assert "stream_options" not in sent(release("1.0.0")).json


def test_pinned_stream_options_are_kept():
    """The release's own are asked for usage, too."""
    call = sent(release("1.0.0", params={"stream_options": {"x": 1}}), stream=True, stream_options={"y": 2})
    assert {"x": 1, "include_usage": True} == call.json["stream_options"]


# Prompts


@pytest.mark.parametrize(
    ("place", "messages", "leaves"),
    [
        ("system", [USER], [{"role": "system", "content": TEXT}, USER]),
        ("system", [SYSTEM, USER], [{"role": "system", "content": TEXT}, SYSTEM, USER]),
        ("replace", [SYSTEM, USER], [{"role": "system", "content": TEXT}, USER]),
        (
            "replace",
            [{"role": "developer", "content": "own"}, USER, SYSTEM, "odd"],
            [{"role": "system", "content": TEXT}, USER, "odd"],
        ),
        ("replace", [], [{"role": "system", "content": TEXT}]),
    ],
)
def test_chat_has_the_prompt_as_its_first_system_message(place, messages, leaves):
    """The application's own follow it, or go."""
    call = sent(release("1.0.0", prompt=prompt(place=place)), messages=messages, prompt=VARIABLES)
    assert leaves == call.json["messages"]
    assert "prompt" not in call.json


@pytest.mark.parametrize(
    ("place", "system", "leaves"),
    [
        ("system", None, TEXT),
        ("system", "own", f"{TEXT}\n\nown"),
        (
            "system",
            [{"type": "text", "text": "own"}],
            [{"type": "text", "text": TEXT}, {"type": "text", "text": "own"}],
        ),
        ("replace", "own", TEXT),
        ("replace", [{"type": "text", "text": "own"}], TEXT),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_messages_have_the_prompt_in_front_of_their_system(path, place, system, leaves):
    """As text, or as the first block."""
    call = sent(anthropic(prompt=prompt(place=place)), path=path, system=system, prompt=VARIABLES)
    assert leaves == call.json["system"]


@pytest.mark.parametrize(
    ("place", "instructions", "leaves"),
    [
        ("system", None, TEXT),
        ("system", "own", f"{TEXT}\n\nown"),
        ("replace", "own", TEXT),
        ("replace", None, TEXT),
    ],
)
def test_responses_have_the_prompt_in_front_of_their_instructions(place, instructions, leaves):
    """Or in their place."""
    call = sent(
        release("1.0.0", prompt=prompt(place=place)),
        path="/v1/responses",
        instructions=instructions,
        input="hi",
        prompt=VARIABLES,
    )
    assert (leaves, "hi") == (call.json["instructions"], call.json["input"])


def test_a_replaced_prompt_leaves_no_system_message_in_a_responses_input():
    """Instructions in another place are instructions."""
    call = sent(
        release("1.0.0", prompt=prompt(place="replace")), path="/v1/responses", input=[SYSTEM, USER], prompt=VARIABLES
    )
    assert [USER] == call.json["input"]


@pytest.mark.parametrize(
    ("own", "leaves"),
    [("own", f"{TEXT}\n\nown"), (["a", "b"], [f"{TEXT}\n\na", f"{TEXT}\n\nb"])],
)
@pytest.mark.parametrize("place", ["system", "replace"])
def test_completions_have_the_prompt_in_front_of_theirs(place, own, leaves):
    """They have no system place that could be replaced."""
    plain = prompt(text=TEXT, inputs={}, place=place)
    assert leaves == sent(release("1.0.0", prompt=plain), path="/v1/completions", prompt=own).json["prompt"]


@pytest.mark.parametrize("own", [None, [], [1, 2], [[1]], 7])
def test_completions_without_text_have_no_place_for_a_prompt(own):
    """Tokens cannot be put behind text."""
    plain = release("1.0.0", prompt=prompt(text=TEXT, inputs={}))
    assert "must be a string or a list of strings" in refusal(plain, path="/v1/completions", prompt=own)


@pytest.mark.parametrize("messages", [None, "text", {"role": "user"}])
def test_chat_without_messages_has_no_place_for_a_prompt(messages):
    """A 400 of Pinion's own says so."""
    assert "messages must be an array" in refusal(
        release("1.0.0", prompt=prompt()), messages=messages, prompt=VARIABLES
    )


def test_a_system_that_is_neither_text_nor_blocks_is_refused():
    """There is no place for the prompt in it."""
    assert "system must be an array" in refusal_messages(system=7)


def refusal_messages(**members):
    """What Anthropic's endpoint refuses."""
    return refusal(anthropic(prompt=prompt()), path="/v1/messages", prompt=VARIABLES, **members)


def test_embeddings_have_no_prompt():
    """Their input is no instruction to a model; variables are taken out all the same."""
    call = sent(release("1.0.0", prompt=prompt()), path="/v1/embeddings", input="x", messages=None, prompt=VARIABLES)
    assert {"model": "atlas-1.0.0", "input": "x"} == call.json


@pytest.mark.parametrize("own", [{}, {"variables": None}, {"variables": {}}, VARIABLES])
def test_a_prompt_that_only_holds_variables_does_not_leave(own):
    """It is Pinion's, whether or not the release has a prompt."""
    assert "prompt" not in sent(release("1.0.0"), prompt=own).json


@pytest.mark.parametrize("own", ["text", ["a"], {"id": "pmpt_1", "variables": {"x": "y"}}])
def test_a_prompt_that_is_the_providers_passes(own):
    """The text of completions, and one that OpenAI keeps under an id."""
    assert own == sent(release("1.0.0"), prompt=own).json["prompt"]


def test_variables_of_a_kept_prompt_are_not_pinions():
    """The release's prompt has no inputs here, so none is undeclared."""
    plain = release("1.0.0", prompt=prompt(text=TEXT, inputs={}))
    own = {"id": "pmpt_1", "variables": {"x": "y"}}
    call = sent(plain, path="/v1/responses", input="x", prompt=own)
    assert (own, TEXT) == (call.json["prompt"], call.json["instructions"])


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({}, "'product' of prompt support@1.0.0 is missing"),
        ({"product": "x", "tone": "y"}, "'tone' is not declared by prompt support@1.0.0"),
        ({"product": 7}, "'product' of prompt support@1.0.0 must be a string"),
    ],
)
def test_variables_are_what_the_prompt_declares(variables, word):
    """A 400 names the one that is not."""
    assert word in refusal(release("1.0.0", prompt=prompt()), prompt={"variables": variables})


def test_a_prompt_evaluates_nothing():
    """Braces in a value are text."""
    call = sent(release("1.0.0", prompt=prompt()), prompt={"variables": {"product": "{{product}} {x} %s"}})
    assert "You help with {{product}} {x} %s." == call.json["messages"][0]["content"]
