"""Which providers may be asked for the usage of a stream."""

from gateway.proxy.usage_asking import UsageAsking
from tests.proxy.playbook import provider


def test_a_provider_may_be_asked_until_it_refuses():
    """By its name, whatever else of it changes."""
    asking = UsageAsking()
    assert asking.may_ask(provider())
    asking.refused(provider())
    asking.refused(provider())
    assert not asking.may_ask(provider(retries=7))
    assert asking.may_ask(provider("anthropic"))
    assert "<UsageAsking refused by ['openai-sim']>" == repr(asking)
