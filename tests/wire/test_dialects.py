"""The dialects that Pinion serves."""

import pytest

from gateway.wire.dialects import DIALECTS
from gateway.wire.endpoint import ENDPOINTS


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_governed_endpoint_has_its_dialect(endpoint):
    """An endpoint's dialect is there, under its own name, and can look at that endpoint's answers."""
    dialect = DIALECTS[endpoint.dialect_name]

    assert endpoint.dialect_name == dialect.name
    assert dialect.scan_answer(endpoint.name, b"not JSON").error is not None
