"""Third step: the request as it leaves. The release's model, prompt and parameters win; every other byte passes."""

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from gateway.core.errors import Malformed
from gateway.core.ports import Headers, UpstreamRequest
from gateway.core.prompt import PromptVersion
from gateway.core.release import Release
from gateway.core.value import value
from gateway.proxy.admission import Asked
from gateway.wire import headers, json_body

Placed = tuple[dict[str, bytes], dict[str, bytes]]
"""Where a prompt goes: members with their new values, and arrays with their new first elements."""

_SYSTEM_ROLES = ("system", "developer")

_PROMPTLESS = ("embeddings",)
"""Endpoints whose input is not instructions to a model."""

_PARAMLESS = ("count_tokens",)
"""Endpoints that refuse sampling parameters: they count what would be sent."""

_QUERY = "!$%&'()*+,/:;=?@"
"""What a query may hold beside letters, digits and `-._~` (RFC 3986, section 3.4); the rest is percent-encoded."""

_KEYS_IN_QUERY = frozenset((b"key", b"api_key", b"api-key"))


@value
class Shaped:
    """A request ready to leave. `hide_usage`: the provider is asked for usage that the client did not ask for.

    `prompt_digest` is the SHA-256 of the prompt as it was rendered, None where none was put in.
    """

    request: UpstreamRequest = field(repr=False)
    hide_usage: bool
    prompt_digest: str | None = None


def shape(asked: Asked, release: Release, *, ask_usage: bool = True) -> Shaped:
    """Make the request that `release` sends for what was asked.

    `ask_usage` is whether the provider takes OpenAI's `stream_options`.

    Raises:
        Malformed: a prompt variable is missing or undeclared, or the body has no place for the prompt.
    """
    endpoint = asked.caller.endpoint.name
    edits: dict[str, bytes | None] = {} if endpoint in _PARAMLESS else {**release.encoded_params}
    edits["model"] = release.model.encoded_name
    options = release.params.get("stream_options", asked.parsed.get("stream_options"))
    hide_usage = ask_usage and _injects_usage(asked, options)
    if hide_usage:
        edits["stream_options"] = _with_usage(options)
    if asked.variables is not None:
        edits["prompt"] = None
    first: Mapping[str, bytes] = json_body.NOTHING
    prompt_digest = None
    if release.prompt is not None and endpoint not in _PROMPTLESS:
        text = release.prompt.render(asked.variables or {})
        prompt_digest = release.prompt.digest_of(text)
        placed, first = _PLACES[endpoint](asked, release.prompt, text)
        edits.update(placed)
    body = json_body.splice(asked.body, edits, first=first, parsed=asked.parsed)
    return Shaped(
        UpstreamRequest(release.model.provider, _target(asked, release), _headers(asked, release), body),
        hide_usage,
        prompt_digest,
    )


def _injects_usage(asked: Asked, options: Any) -> bool:
    """Only OpenAI's older endpoints have to be asked for a stream's usage."""
    if not asked.stream or asked.caller.endpoint.name not in ("chat", "completions"):
        return False
    return not (isinstance(options, Mapping) and options.get("include_usage") is True)


def _with_usage(options: Any) -> bytes:
    """Ask for usage; options that Pinion does not know stay as they are."""
    kept = dict(options) if isinstance(options, Mapping) else {}
    return json_body.dump({**kept, "include_usage": True})


def _target(asked: Asked, release: Release) -> str:
    """The provider's URL with the client's query, in which nothing can end or break the target.

    A `key` in it is a credential of the client, which goes no further.
    """
    url = release.model.provider.base_url.rstrip("/") + asked.caller.endpoint.upstream_path
    if not asked.caller.head.query:
        return url
    query = b"&".join(part for part in asked.caller.head.query.split(b"&") if not _is_credential(part))
    return f"{url}?{quote(query, safe=_QUERY)}" if query else url


def _is_credential(part: bytes) -> bool:
    """Say whether a part of a query is a key, however its name is spelt."""
    return unquote_to_bytes(part.partition(b"=")[0]).lower() in _KEYS_IN_QUERY


def _headers(asked: Asked, release: Release) -> Headers:
    """Pass what the provider may see; its credential is Pinion's own, never the client's.

    The answer must come unpacked, because it is read on its way (its events, its usage).
    """
    credential = release.model.provider.credential
    drop = () if credential is None else (credential.header,)
    passed = headers.forwardable_request(asked.caller.head.headers, drop=drop)
    passed.append((b"accept-encoding", b"identity"))
    if credential is not None:
        passed.append((credential.header, credential.value))
    return passed


def _in_messages(asked: Asked, prompt: PromptVersion, text: str) -> Placed:
    """Chat: the first system message."""
    turns = _array(asked, "messages")
    message = _system_message(text)
    if prompt.place != "replace":
        return {}, {"messages": message}
    kept = _without_system(asked, "messages", turns)
    return {"messages": json_body.insert_first(kept, message)}, {}


def _in_system(asked: Asked, prompt: PromptVersion, text: str) -> Placed:
    """Anthropic: the top-level `system`, as text or as the first block."""
    own = asked.parsed.get("system")
    if prompt.place == "replace" or own is None:
        return {"system": json_body.dump(text)}, {}
    if isinstance(own, str):
        return {"system": json_body.dump(f"{text}\n\n{own}")}, {}
    _array(asked, "system")
    return {}, {"system": json_body.dump({"type": "text", "text": text})}


def _in_instructions(asked: Asked, prompt: PromptVersion, text: str) -> Placed:
    """Responses: the `instructions`; the input may hold system messages, too."""
    own = asked.parsed.get("instructions")
    if prompt.place == "replace":
        turns = asked.parsed.get("input")
        kept = {"input": _without_system(asked, "input", turns)} if isinstance(turns, list) else {}
        return {"instructions": json_body.dump(text), **kept}, {}
    if not isinstance(own, str):
        return {"instructions": json_body.dump(text)}, {}
    return {"instructions": json_body.dump(f"{text}\n\n{own}")}, {}


def _in_prompt(asked: Asked, prompt: PromptVersion, text: str) -> Placed:
    """Completions: in front of the prompt, which has no system place to replace."""
    del prompt
    own = asked.parsed.get("prompt")
    if isinstance(own, str):
        return {"prompt": json_body.dump(f"{text}\n\n{own}")}, {}
    if isinstance(own, list) and own and all(isinstance(item, str) for item in own):
        return {"prompt": json_body.dump([f"{text}\n\n{item}" for item in own])}, {}
    raise Malformed("this route has a prompt, so the body's prompt must be a string or a list of strings")


_PLACES = {
    "chat": _in_messages,
    "messages": _in_system,
    "count_tokens": _in_system,
    "responses": _in_instructions,
    "completions": _in_prompt,
}
"""Where each endpoint keeps instructions to the model."""


def _array(asked: Asked, name: str) -> list[Any]:
    """One of the body's arrays."""
    value = asked.parsed.get(name)
    if not isinstance(value, list):
        raise Malformed(f"{name} must be an array")
    return value


def _without_system(asked: Asked, name: str, turns: list[Any]) -> bytes:
    """The bytes of one of the body's arrays, less the system messages in it."""
    start, end = next((start, end) for key, _, start, end in json_body.members(asked.body) if key == name)
    raw = asked.body[start:end]
    return json_body.without(raw, [place for place, turn in enumerate(turns) if _is_system(turn)])


@lru_cache(maxsize=1024)
def _system_message(text: str) -> bytes:
    """A system message; a prompt without inputs is the same for every request."""
    return json_body.dump({"role": "system", "content": text})


def _is_system(turn: Any) -> bool:
    return isinstance(turn, Mapping) and turn.get("role") in _SYSTEM_ROLES
