"""What the system lets a process have."""

import resource

import pytest

from gateway.adapters import process_limits


@pytest.fixture
def _restored():
    """The limits of this process are what they were again afterwards."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.usefixtures("_restored")
def test_the_limit_becomes_the_highest_that_may_be():
    """What the process begins with is only where programs of long ago end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    most = process_limits.MANY if hard == resource.RLIM_INFINITY else hard
    assert most == process_limits.descriptors()
    assert most == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert most == process_limits.descriptors()
