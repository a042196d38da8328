"""The simulated provider: from a request to its answer, through the faults that are set."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from gateway.simulator.anthropic import ANTHROPIC, COUNT, MESSAGES
from gateway.simulator.behaviour import Faults
from gateway.simulator.chat import CHAT
from gateway.simulator.completions import COMPLETIONS
from gateway.simulator.connection import Reply, Request
from gateway.simulator.control import PREFIX, controlled
from gateway.simulator.delivery import Cut
from gateway.simulator.embeddings import EMBEDDINGS
from gateway.simulator.encoding import decoded
from gateway.simulator.endpoint import Dialect, Endpoint
from gateway.simulator.exchange import JSON, Exchange
from gateway.simulator.journal import Journal
from gateway.simulator.openai import OPENAI
from gateway.simulator.responses import RESPONSES
from gateway.simulator.turn import Refusal, Turn, compose, count_tokens, draw

ENDPOINTS: Mapping[str, Endpoint] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": COUNT,
}
MODELS = "/v1/models"
SAMPLE_MODELS = ("sim-large-2026-01-15", "sim-small-2026-01-15")


class Simulator:
    """A provider: answers requests, and remembers them in its `journal`. It belongs to one event loop."""

    def __init__(self, faults: Faults, seed: int = 0) -> None:
        self.journal = Journal()
        self.faults = faults
        self._seed = seed
        self._drawn: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def behave(self, faults: Faults) -> None:
        """Use these faults from the next request on; an answer that hangs goes on if it no longer should."""
        self.faults = faults
        self._changed.set()
        self._changed = asyncio.Event()

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer a request."""
        if request.path.startswith(PREFIX):
            await self._control(request, reply)
            return
        number = self.journal.begin(request)
        try:
            await self._answer(number, request, reply)
        except asyncio.CancelledError:
            self.journal.end(number, reply.status, aborted=True)
            raise
        except Cut:
            reply.cut()
            self.journal.end(number, reply.status, cut=True)
        else:
            self.journal.end(number, reply.status)

    async def _control(self, request: Request, reply: Reply) -> None:
        status, document, faults = controlled(request, self.journal, self.faults)
        if faults is not self.faults:
            self.behave(faults)
        content = orjson.dumps(document)
        reply.start(status, [JSON], len(content))
        await reply.write(content)
        reply.finish()

    async def _answer(self, number: int, request: Request, reply: Reply) -> None:
        """Meet the faults that come before any answer, then fail, refuse or answer."""
        problem, body, document = None, b"", {}
        try:
            body = decoded(request.body, request.header("content-encoding"))
            document = _document(body)
        except Refusal as refusal:
            problem = refusal
        model = _model(document)
        behaviour = self.faults.of(model)
        exchange = Exchange(
            id=secrets.token_hex(12),
            reply=reply,
            dialect=_dialect(request),
            document=document,
            behaviour=behaviour,
            hold=partial(self._hold, model, behaviour.hang),
        )
        self.journal.understood(number, model, stream=exchange.stream)
        if behaviour.cut_head or (behaviour.cut_reused and request.reused):
            raise Cut
        await exchange.hold("head")
        if behaviour.latency:
            await asyncio.sleep(behaviour.latency)
        if self._fails(exchange, model):
            await exchange.fail()
            return
        try:
            if problem is not None:
                raise problem
            await self._serve(exchange, request, body)
        except Refusal as refusal:
            await exchange.refuse(refusal)

    async def _hold(self, model: str | None, hang: str | None, place: str) -> None:
        """Wait at a place where this answer hangs, until faults are set that no longer hang there."""
        while hang == place and self.faults.of(model).hang == place:
            await self._changed.wait()

    def _fails(self, exchange: Exchange, model: str | None) -> bool:
        """Whether this request meets an error; each model's requests are drawn in the order they come."""
        behaviour, name = exchange.behaviour, model or ""
        self._drawn[name] += 1
        if behaviour.html_error or (behaviour.json_error_on_stream and exchange.stream):
            return True
        return draw(self._seed, name, self._drawn[name]) < behaviour.error_rate

    async def _serve(self, exchange: Exchange, request: Request, body: bytes) -> None:
        """Answer a request.

        Raises:
            Refusal: the provider does not accept it; nothing was sent.
        """
        path = request.path
        if path == MODELS or path.startswith(f"{MODELS}/"):
            await exchange.send(200, [JSON], orjson.dumps(self._models(request)))
            return
        endpoint = ENDPOINTS.get(path)
        if endpoint is None:
            raise Refusal(f"{path} is unknown; there are {', '.join((*ENDPOINTS, MODELS))}", status=404)
        if request.method != "POST":
            raise Refusal(f"{path} takes POST, not {request.method}", status=405)
        await exchange.succeed(endpoint, self._turn(exchange, endpoint, body))

    def _turn(self, exchange: Exchange, endpoint: Endpoint, body: bytes) -> Turn:
        model = _model(exchange.document)
        if model is None:
            raise Refusal("model is missing; name the model that should answer", param="model")
        wish = endpoint.read(exchange.document)
        return Turn(
            id=exchange.id,
            request=exchange.document,
            model=exchange.behaviour.served_model or model,
            created=int(time.time()),
            prompt_tokens=count_tokens(*wish.prompt),
            choices=compose(self._seed, body, wish, exchange.behaviour),
            behaviour=exchange.behaviour,
        )

    def _models(self, request: Request) -> dict[str, Any]:
        """The list of models, or the one that the path names, in the dialect of the request."""
        if request.method != "GET":
            raise Refusal(f"{request.path} takes GET, not {request.method}", status=405)
        dialect = _dialect(request)
        name = request.path.removeprefix(MODELS).removeprefix("/")
        return dialect.model(name) if name else dialect.model_list((*SAMPLE_MODELS, *self.faults.models))


def _document(body: bytes) -> dict[str, Any]:
    """The request's JSON object, empty for a request without a body."""
    if not body:
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"the body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refusal("the body must be a JSON object")
    return document


def _model(document: Mapping[str, Any]) -> str | None:
    """The upstream model name that a request gives."""
    name = document.get("model")
    return name if isinstance(name, str) else None


def _dialect(request: Request) -> Dialect:
    """The dialect of the path, or for a path that both have, the one of which the headers speak."""
    if endpoint := ENDPOINTS.get(request.path):
        return endpoint.dialect
    return ANTHROPIC if request.header("anthropic-version") is not None else OPENAI
