"""The limits of applications in words."""

import pytest

from gateway.cli.limit_text import limits_text
from gateway.cli.terminal import show

REQUESTS = {
    "limit": "requests",
    "amount": 1_600,
    "per": "1m",
    "used": 1_200,
    "used_ratio": 0.75,
    "idle_in_seconds": 61.5,
}
USD = {"limit": "usd", "amount": 50.0, "per": "1d", "used": 62.5, "used_ratio": 1.25, "idle_in_seconds": 90_000.0}
TOKENS = {"limit": "tokens", "amount": 9, "per": "1h", "used": 0, "used_ratio": 0.0, "idle_in_seconds": 0.0}
APPS = [{"app": "helpdesk", "limits": [REQUESTS, USD]}, {"app": "kiosk", "limits": [TOKENS]}]


def shown(capsys, **more) -> list[str]:
    """The lines of these applications, words alone."""
    show(*limits_text({"apps": APPS, "replicas": 1, "shared": False, **more}))
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_each_limit_has_a_row(capsys):
    """What it is, what is used and left of it, and when nothing of it would be used any more."""
    head, _, *rows = shown(capsys)
    assert "app limit used left unused again in" == head
    assert [
        "helpdesk 1,600 requests per 1m 1,200 requests 25.0% 62s",
        "helpdesk $50.00 per 1d $62.50 0.0% 25h",
        "kiosk 9 tokens per 1h 0 tokens 100.0% -",
    ] == rows


@pytest.mark.parametrize(
    ("shared", "said"),
    [
        (True, ["3 gateways share them"]),
        (False, ["3 gateways share them", "the others are away: each gives its own share alone"]),
    ],
)
def test_gateways_that_share_are_told(capsys, shared, said):
    """How many, and whether they hear of each other."""
    (
        *_,
        blank,
    ) = shown(capsys, replicas=3, shared=shared)[: -len(said)]
    assert ("", said) == (blank, shown(capsys, replicas=3, shared=shared)[-len(said) :])
