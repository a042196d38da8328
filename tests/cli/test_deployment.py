"""`pinion deployment`: what served when, against a gateway."""

import json

from tests.gateway_process import wait_until


def test_deployments_are_listed(pinion):
    """Of one route: the release, the track, since when, and on whose word; or as JSON."""
    out = wait_until(lambda: "steady/1.0.0" in (said := pinion("deployment", "list", "steady").stdout) and said)
    heading, _, row = out.splitlines()
    assert ["release", "track", "from", "until", "by", "admitted", "by", "why"] == heading.split()
    assert ["steady/1.0.0", "stable"] == row.split()[:2]
    assert row.endswith("first deployment of the route")
    assert "serves now" in row
    told = json.loads(pinion("deployment", "list", "steady", "--json").stdout)
    assert [(None, None)] == [(each["until"], each["admitted_by"]) for each in told["deployments"]]


def test_as_many_as_asked_for(pinion):
    """The newest first; what is no number is misuse."""
    wait_until(lambda: "steady/1.0.0" in pinion("deployment", "list").stdout)
    assert 3 == len(pinion("deployment", "list", "--limit", "1").stdout.splitlines())
    assert 2 == pinion("deployment", "list", "--limit", "0").exit_code


def test_none_is_said(pinion):
    """Of a route that nobody serves."""
    result = pinion("deployment", "list", "nowhere")
    assert ("nothing has served yet\n", 0) == (result.stdout, result.exit_code)
