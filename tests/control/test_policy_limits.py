"""The limits that policy files declare."""

import json

import pytest

from gateway.adapters.price_library import PriceLibrary
from gateway.control.policies import load
from gateway.control.policy_limits import unpriced
from gateway.control.policy_schema import json_schema
from gateway.core.errors import PolicyFault
from gateway.core.limit import Limit

SET = """kind: provider
name: p
dialect: openai
base_url: https://api.openai.com/v1
---
kind: route
name: r
releases: {"1": {model: p/gpt-4o-2024-08-06}, "2": {model: p/house-2026-01-01}, "0": {model: p/old-20, retired: old}}
serve: "1"
---
kind: app
name: helpdesk
keys: []
"""


def loaded(limits: str, more: str = ""):
    """The set with an application of these limits."""
    return load({"a.yaml": f"{SET}limits:{limits}\n{more}"})


def refusal(limits: str) -> list[str]:
    """What is wrong with these limits."""
    with pytest.raises(PolicyFault) as refused:
        loaded(limits)
    return [str(problem) for problem in refused.value.problems]


def test_limits_are_read_as_they_are_written():
    """Requests and tokens as whole numbers, dollars to the billionth, windows in seconds."""
    policies = loaded("\n- {requests: 600, per: 1m}\n- {tokens: 200000, per: 1500ms}\n- {usd: 0.5, per: 31d}")
    assert (
        Limit("requests", 600, 60.0),
        Limit("tokens", 200_000, 1.5),
        Limit("usd", 500_000_000, 31 * 86_400.0),
    ) == policies.callers["helpdesk"].limits
    assert {"helpdesk": "a.yaml:17"} == {name: str(where) for name, where in policies.spending_places.items()}


def test_an_application_may_have_none():
    """As most have."""
    assert () == load({"a.yaml": SET}).callers["helpdesk"].limits


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ("{per: 1m}", "limits.1: it takes one of requests, tokens, usd, and none of them is given; write exactly one"),
        (
            "{requests: 1, usd: 1, per: 1m}",
            "limits.1: it takes one of requests, tokens, usd, and requests and usd are given; write exactly one",
        ),
        ("{requests: 1}", "limits.1.per is missing; add it"),
        ("{requests: 0, per: 1m}", "limits.1.requests is 0; it must be at least 1"),
        (
            "{requests: 1.5, per: 1m}",
            "limits.1.requests is 1.5, not a whole number; write one without quotes or decimals",
        ),
        ("{tokens: -1, per: 1m}", "limits.1.tokens is -1; it must be at least 1"),
        ("{usd: 0, per: 1m}", "limits.1.usd is 0; it must be at least 1e-06"),
        ("{usd: 1, per: 999ms}", "limits.1.per is '999ms'; it must be at least 1s"),
        ("{usd: 1, per: 32d}", "limits.1.per is '32d'; it must be at most 31d"),
    ],
)
def test_a_limit_that_says_nothing_is_refused(limit, problem):
    """With what to write."""
    (said,) = refusal(f" [{limit}]")
    assert f"app helpdesk: {problem}" in said


def test_two_limits_of_one_kind_have_two_windows():
    """However the window is written; of other kinds, or other windows, there may be several."""
    assert [
        "a.yaml:16: app helpdesk: limits.2 limits requests over the window of another, 1 request per 1m; "
        "keep one of the two"
    ] == refusal(
        "\n- {requests: 1, per: 1m}\n- {requests: 2, per: 60s}\n- {tokens: 2, per: 1m}\n- {requests: 9, per: 1h}"
    )


def test_there_are_eight_at_most():
    """Each is asked before each request."""
    nine = ", ".join(f"{{requests: 1, per: {number}h}}" for number in range(1, 10))
    assert ["a.yaml:14: app helpdesk: limits: there are 9; keep 8 at most"] == refusal(f" [{nine}]")


def test_a_limit_in_dollars_names_what_has_no_price():
    """Where the limit stands; what is priced by the library is priced, and what is retired is met by nobody."""
    limits = "\n- {requests: 1, per: 1m}\n- {usd: 1, per: 1d}\n- {usd: 9, per: 7d}"
    found = unpriced(loaded(limits, "---\nkind: app\nname: b\nkeys: []\nlimits: [{usd: 1, per: 1d}]\n"), PriceLibrary())
    assert [
        f"a.yaml:{line}: app {app} has a limit in usd, and may reach r/2, whose price is not known; "
        f"state the price of house@2026-01-01, or leave r out of the routes of {app}"
        for line, app in ((16, "helpdesk"), (22, "b"))
    ] == [str(problem) for problem in found]


@pytest.mark.parametrize("limits", [" [{tokens: 1, per: 1d}]", " [{usd: 1, per: 1d}]\nroutes: []"])
def test_without_dollars_or_a_way_no_price_is_asked_for(limits):
    """Tokens need none."""
    assert [] == unpriced(loaded(limits), PriceLibrary())


def test_editors_know_limits():
    """The JSON Schema describes them."""
    assert "How many US dollars." in json.dumps(json_schema())
