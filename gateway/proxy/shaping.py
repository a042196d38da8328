"""Third step: the request as it leaves. The release's model, prompt and parameters win; every other byte passes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from gateway.core.errors import Malformed
from gateway.core.ports import Headers, UpstreamRequest
from gateway.core.prompt import PromptVersion
from gateway.core.release import Release
from gateway.proxy.admission import Asked
from gateway.wire import headers, json_body

_SYSTEM_ROLES = ("system", "developer")

_PROMPTLESS = ("embeddings",)
"""Endpoints whose input is not instructions to a model."""

_PARAMLESS = ("count_tokens",)
"""Endpoints that refuse sampling parameters: they count what would be sent."""

_QUERY = "!$%&'()*+,/:;=?@"
"""What a query may hold beside letters, digits and `-._~` (RFC 3986, section 3.4); the rest is percent-encoded."""

_KEYS_IN_QUERY = frozenset((b"key", b"api_key", b"api-key"))


@dataclass(frozen=True, slots=True)
class Shaped:
    """A request ready to leave. `hide_usage`: the provider is asked for usage that the client did not ask for."""

    request: UpstreamRequest = field(repr=False)
    hide_usage: bool


def shape(asked: Asked, release: Release, *, ask_usage: bool = True) -> Shaped:
    """Make the request that `release` sends for what was asked.

    `ask_usage` is whether the provider takes OpenAI's `stream_options`.

    Raises:
        Malformed: a prompt variable is missing or undeclared, or the body has no place for the prompt.
    """
    endpoint = asked.caller.endpoint.name
    edits: dict[str, bytes | None] = {} if endpoint in _PARAMLESS else {**release.encoded_params}
    edits["model"] = json_body.dump(release.model.upstream_model)
    options = release.params.get("stream_options", asked.parsed.get("stream_options"))
    hide_usage = ask_usage and _injects_usage(asked, options)
    if hide_usage:
        edits["stream_options"] = _with_usage(options)
    if asked.variables is not None:
        edits["prompt"] = None
    if release.prompt is not None and endpoint not in _PROMPTLESS:
        text = release.prompt.render(asked.variables or {})
        edits.update(_PLACES[endpoint](asked, release.prompt, text))
    body = json_body.splice(asked.body, edits)
    return Shaped(
        UpstreamRequest(release.model.provider, _target(asked, release), _headers(asked, release), body),
        hide_usage,
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


def _in_messages(asked: Asked, prompt: PromptVersion, text: str) -> dict[str, bytes | None]:
    """Chat: the first system message."""
    raw = _raw_array(asked, "messages")
    if prompt.place == "replace":
        raw = _without_system(raw, asked.parsed["messages"])
    message = json_body.dump({"role": "system", "content": text})
    return {"messages": json_body.insert_first(raw, message)}


def _in_system(asked: Asked, prompt: PromptVersion, text: str) -> dict[str, bytes | None]:
    """Anthropic: the top-level `system`, as text or as the first block."""
    own = asked.parsed.get("system")
    if prompt.place == "replace" or own is None:
        return {"system": json_body.dump(text)}
    if isinstance(own, str):
        return {"system": json_body.dump(f"{text}\n\n{own}")}
    block = json_body.dump({"type": "text", "text": text})
    return {"system": json_body.insert_first(_raw_array(asked, "system"), block)}


def _in_instructions(asked: Asked, prompt: PromptVersion, text: str) -> dict[str, bytes | None]:
    """Responses: the `instructions`; the input may hold system messages, too."""
    own = asked.parsed.get("instructions")
    if prompt.place == "replace":
        turns = asked.parsed.get("input")
        kept = {"input": _without_system(_raw_array(asked, "input"), turns)} if isinstance(turns, list) else {}
        return {"instructions": json_body.dump(text), **kept}
    if not isinstance(own, str):
        return {"instructions": json_body.dump(text)}
    return {"instructions": json_body.dump(f"{text}\n\n{own}")}


def _in_prompt(asked: Asked, prompt: PromptVersion, text: str) -> dict[str, bytes | None]:
    """Completions: in front of the prompt, which has no system place to replace."""
    del prompt
    own = asked.parsed.get("prompt")
    if isinstance(own, str):
        return {"prompt": json_body.dump(f"{text}\n\n{own}")}
    if isinstance(own, list) and own and all(isinstance(item, str) for item in own):
        return {"prompt": json_body.dump([f"{text}\n\n{item}" for item in own])}
    raise Malformed("this route has a prompt, so the body's prompt must be a string or a list of strings")


_PLACES = {
    "chat": _in_messages,
    "messages": _in_system,
    "count_tokens": _in_system,
    "responses": _in_instructions,
    "completions": _in_prompt,
}
"""Where each endpoint keeps instructions to the model."""


def _raw_array(asked: Asked, name: str) -> bytes:
    """The bytes of one of the body's arrays."""
    if not isinstance(asked.parsed.get(name), list):
        raise Malformed(f"{name} must be an array")
    member = next(member for member in json_body.members(asked.body) if member.key == name)
    return asked.body[member.value_start : member.value_end]


def _without_system(raw: bytes, turns: list[Any]) -> bytes:
    return json_body.without(raw, [place for place, turn in enumerate(turns) if _is_system(turn)])


def _is_system(turn: Any) -> bool:
    return isinstance(turn, Mapping) and turn.get("role") in _SYSTEM_ROLES
