"""What every implementation of the port `Upstream` must do: the tests, run once for each.

A test module makes a class of `UpstreamContract` and gives it two fixtures: `upstream` with the transport under test,
and `certificate`, for localhost and trusted by no system.
"""

from tests.adapters.upstream_answer_contract import UpstreamAnswerContract
from tests.adapters.upstream_connection_contract import UpstreamConnectionContract


class UpstreamContract(UpstreamAnswerContract, UpstreamConnectionContract):
    """The tests. The fixture `upstream` is a transport without connections, closed after the test."""
