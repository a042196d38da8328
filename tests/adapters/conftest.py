"""What tests of several adapters ask for."""

import pytest

from tests.adapters.certificates import issue


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that no system trusts."""
    return issue(tmp_path_factory.mktemp("tls"))
