"""`pinion reload`."""

import json

from gateway.cli.reload import problem_lines
from tests.gateway_process import running_gateway

BROKEN = "kind: route\nname: Broken\n"


def test_an_accepted_set_is_exit_code_0(pinion):
    """A set that can serve is said to serve, with exit code 0."""
    result = pinion("reload")
    assert (0, "accepted; this set serves\n", "") == (result.exit_code, result.stdout, result.stderr)
    assert "accepted" == json.loads(pinion("reload", "--json").stdout)["result"]


def test_a_rejected_set_is_exit_code_1_with_every_problem(tmp_path, alone):
    """A set that cannot serve is rejected with its problems, each on a line that names its file."""
    with running_gateway(tmp_path) as gateway:
        (gateway.policies / "broken.yaml").write_text(BROKEN)
        result = alone("reload", PINION_ADMIN_URL=gateway.admin_url)
        assert (1, "rejected; the last good set goes on serving\n") == (result.exit_code, result.stdout)
        assert "broken.yaml:2: " in result.stderr
        as_json = alone("reload", "--json", PINION_ADMIN_URL=gateway.admin_url)
        assert 1 == as_json.exit_code
        told = json.loads(as_json.stdout)
        assert "rejected" == told["result"]
        assert list(problem_lines(told)) == result.stderr.splitlines()
        assert (
            "rejected; the last good set goes on serving" in alone("status", PINION_ADMIN_URL=gateway.admin_url).stdout
        )
        assert ["drafts", "support"] == [route["route"] for route in gateway.status()["routes"]]


def test_problems_and_warnings_each_take_a_line():
    """A warning is marked as one, and what a file is called cannot break the line."""
    one = {"file": "a\nb.yaml", "line": 3, "problem": "wrong", "remedy": "mend it"}
    told = {"problems": [one], "warnings": [{**one, "line": 4}]}
    assert [r"a\nb.yaml:3: wrong; mend it", r"a\nb.yaml:4: warning: wrong; mend it"] == list(problem_lines(told))
