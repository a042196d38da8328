"""Risk tiers: their order is what cards and approval policies are held to."""

from gateway.core.risk_tier import RISK_TIERS


def test_tiers_go_from_the_lowest_to_the_highest():
    """A card of a higher tier says all that one of a lower tier does."""
    assert ("minimal", "limited", "high") == RISK_TIERS
