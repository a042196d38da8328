"""Every operation of the operations API, asked as its document allows and as it forbids, by schemathesis."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api.openapi import document
from tests.gateway_process import PROVIDERS, running_gateway
from tests.system.chatting import desk

EXAMPLES = 6
SEED = 20_261_126
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
FILES = {
    "providers.yaml": PROVIDERS,
    "desk.yaml": desk("1.1.0", 'rollout: {from: "1.0.0", steps: [{percent: 10}, {percent: 50}]}'),
    "app.yaml": "kind: app\nname: helpdesk\nkeys: []\n",
}

described = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway with a rollout and an application, that answers to everybody on this machine."""
    with running_gateway(tmp_path_factory.mktemp("conformance"), FILES) as found:
        yield found


@described.parametrize()
@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_the_answer_is_one_that_is_described(gateway, case):
    """No mistake, no status that is not described, and each answer by its schema."""
    response = case.call(base_url=gateway.admin_url, timeout=60)
    case.validate_response(response, checks=CHECKS)
