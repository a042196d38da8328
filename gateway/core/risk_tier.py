"""Risk tiers of routes, as policies and cards name them."""

from typing import Literal, get_args

RiskTier = Literal["minimal", "limited", "high"]
"""How much harm a route may do; one of tier high must be governed."""

RISK_TIERS: tuple[RiskTier, ...] = get_args(RiskTier)
"""From the lowest to the highest."""
