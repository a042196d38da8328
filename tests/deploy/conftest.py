"""A gateway on the policies of the compose file, whose metrics are those that rules and dashboards name."""

import openai
import pytest

from gateway.simulator.server import running
from tests.deploy.files import DEPLOY
from tests.gateway_process import GatewayProcess, running_gateway, wait_until

KEY = "pk-only-for-trying-out"
SIMULATED = "http://simulator:9000"


def policies(simulator_url: str) -> dict[str, str]:
    """The policies of the compose file, with a simulator where it is here."""
    folder = DEPLOY / "policies"
    return {path.name: path.read_text().replace(SIMULATED, simulator_url) for path in folder.iterdir()}


@pytest.fixture(scope="session")
def watched(tmp_path_factory) -> GatewayProcess:
    """A gateway that has answered one stream of an SDK."""
    with running() as simulator:
        files = policies(simulator.url)
        with running_gateway(tmp_path_factory.mktemp("watched"), files, simulator=simulator) as gateway:
            client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY)
            asked = {"model": "support-assistant", "messages": [{"role": "user", "content": "hello"}]}
            with client, client.chat.completions.create(**asked, stream=True) as stream:
                assert [chunk for chunk in stream if chunk.choices]
            wait_until(lambda: "pinion_first_token_seconds_bucket" in gateway.metrics())
            yield gateway


@pytest.fixture(scope="session")
def series(watched) -> set[str]:
    """The name of every series that a scrape of it holds or can hold: of counters, gauges, and histograms' parts."""
    names = set()
    for line in watched.metrics().splitlines():
        match line.split():
            case ["#", "TYPE", name, "histogram"]:
                names |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"}
            case ["#", "TYPE", name, _]:
                names.add(name)
    return names
