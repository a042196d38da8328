"""Which addresses of a fleet bus are accepted, and what is told of them."""

import pytest

from gateway.adapters.fleet_address import FleetAddress
from gateway.core.errors import SetupFault


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://r", "redis://r:6379/0"),
        ("redis://u:secret@r:7/2", "redis://r:7/2"),
        ("rediss://:secret@[::1]", "rediss://[::1]:6379/0"),
        ("rediss://r?ssl_ca_certs=/ca.pem", "rediss://r:6379/0"),
    ],
)
def test_a_name_holds_nothing_secret(url, name):
    """The server and the database alone; nor does a printed address."""
    found = FleetAddress.read(url)
    assert (url, name) == (found.url, found.name)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("secret", "not the address of a Redis"),
        ("http://u:secret@r", "not the address of a Redis"),
        ("unix://u:secret@r", "not the address of a Redis"),
        ("redis://u:secret@r:port", "not an address"),
        ("redis://u:secret@", "names no server"),
        ("redis://u:secret@r/queue", "names no server, or no database"),
        ("redis://u:secret@r/0#x", "names no server"),
        ("redis://u:secret@r?socket_timeout=60", "asks for socket_timeout"),
        ("redis://u:secret@r?ssl_ca_certs=/ca.pem", "asks for ssl_ca_certs"),
        ("rediss://u:secret@r?x", "not an address"),
    ],
)
def test_anything_else_is_refused_with_the_form_and_no_secret(url, said):
    """What would make a command take longer than it may, too."""
    with pytest.raises(SetupFault, match=said) as refused:
        FleetAddress.read(url)
    assert "secret" not in refused.value.message
