"""The operations API of measured figures."""

import httpx2
import pytest
from starlette.applications import Starlette

from gateway.api.entrance import Entrance
from gateway.api.figures import FigureHandlers
from gateway.api.operations import _refused
from gateway.control.identification import Identification
from gateway.core.errors import PinionError
from tests.control.serving_world import Process, Store, TokenVerifier
from tests.control.test_experiments import opened
from tests.control.test_measured import measured

pytestmark = pytest.mark.anyio


async def asked(folder, path):
    """Ask for figures over a real ledger with one request."""
    async with opened(folder) as lab:
        lab.serve("ada", "control")
        process = Process(Store())
        identification = Identification(lambda: process.live.current, TokenVerifier(), None)
        entrance = Entrance(identification, process.journal, process.access_uses, lambda *_: None)
        routes = FigureHandlers(measured(lab)).routes(entrance)
        application = Starlette(routes=routes, exception_handlers={PinionError: _refused})
        transport = httpx2.ASGITransport(application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(f"/admin/v1/releases/{path}")


@pytest.mark.parametrize("query", ["", "?window=28d"])
async def test_figures_are_json(tmp_path, query):
    """Over four weeks where nothing is said."""
    told = (await asked(tmp_path, f"support/1.0.0/figures{query}")).json()
    assert (1, 28 * 86_400) == (told["requests"], told["until"] - told["since"])


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("support/1.0.0/figures?window=long", 400, "window= is how far back to look, as in 24h or 28d; 366d at most"),
        ("support/1.0.0/figures?window=0s", 400, "window="),
        ("support/1.0.0/figures?window=367d", 400, "window="),
        ("support/9/figures", 404, "route support has no release '9'; there is 1.0.0, 1.1.0, 1.2.0"),
        ("other/9/figures", 404, "no route 'other'; there is support"),
    ],
)
async def test_what_cannot_be_said_is_refused(tmp_path, path, status, said):
    """With what to do."""
    refused = await asked(tmp_path, path)
    assert (status, True) == (refused.status_code, said in refused.json()["error"]["message"])
