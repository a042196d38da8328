"""A model version."""

from dataclasses import replace

from gateway.core.price import NoPrice, Price
from tests.proxy.playbook import release


def test_it_is_written_with_its_version():
    """As everywhere."""
    assert "atlas@1.0.0" == str(release("1.0.0").model)


def test_a_price_does_not_make_another_version():
    """It may change, and the version stays."""
    model = release("1.0.0").model
    assert replace(model, pricing=Price(9, 9)) == replace(model, pricing=NoPrice())
    assert replace(model, upstream_model="other") != model
