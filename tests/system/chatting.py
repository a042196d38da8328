"""Chat requests to a gateway process, and a stream that stays open for as long as a test wants it to."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.gateway_process import TLS, GatewayProcess

STEADY_MODEL = "gpt-4o-2024-08-06"
NEW_MODEL = "gpt-4o-2024-11-20"
SIMULATED = "kind: provider\nname: openai\ndialect: openai\nbase_url: SIMULATOR_URL/v1\nretries: 0\n"


def desk(serve: str = "1.0.0", more: str = "") -> str:
    """A route with a release for each model."""
    return (
        "kind: route\nname: desk\n"
        f'releases: {{"1.0.0": {{model: openai/{STEADY_MODEL}}}, "1.1.0": {{model: openai/{NEW_MODEL}}}}}\n'
        f'serve: "{serve}"\n{more}\n'
    )


def said(model: str, text: str = "hi", **members: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


def chat(gateway: GatewayProcess, route: str = "desk", unit: str | None = None, **members: Any) -> httpx2.Response:
    """One whole chat request."""
    headers = {} if unit is None else {"x-pinion-unit": unit}
    return httpx2.post(
        f"{gateway.url}/v1/chat/completions", json=said(route, **members), headers=headers, timeout=60, verify=TLS
    )


@contextmanager
def open_stream(gateway: GatewayProcess, route: str = "desk") -> Iterator[Future[str]]:
    """A stream that has begun and goes on; what it was in the end is the future's result."""
    begun: Future[None] = Future()

    def read() -> str:
        body = said(route, stream=True)
        with httpx2.stream("POST", f"{gateway.url}/v1/chat/completions", json=body, timeout=30, verify=TLS) as answer:
            text = ""
            for piece in answer.iter_text():
                text += piece
                if not begun.done():
                    begun.set_result(None)
            return text

    with ThreadPoolExecutor(1) as reader:
        whole = reader.submit(read)
        begun.result(60)
        yield whole


def weight(gateway: GatewayProcess, version: str, route: str = "desk") -> int:
    """The weight of a release, as the status tells it."""
    return next(one["weight_ppm"] for one in gateway.route(route)["releases"] if one["release"] == version)


def sample(metrics: str, name: str, **labels: str) -> float:
    """The value of one series."""
    for line in metrics.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and all(f'{label}="{text}"' in series for label, text in labels.items()):
            return float(value)
    raise AssertionError(f"no series {name} {labels}")
