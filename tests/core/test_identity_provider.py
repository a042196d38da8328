"""An identity provider is a plain value."""

from gateway.core.identity_provider import IdentityProvider


def test_an_identity_provider_trusts_what_the_system_trusts():
    """Unless a file of certificates is named."""
    made = IdentityProvider("id", "https://id.test", "pinion", "file:keys.json", "sub", ("ES256",))
    assert None is made.ca_file
