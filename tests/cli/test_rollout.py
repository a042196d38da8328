"""`pinion rollout`: its verbs, against a gateway."""

import json

import pytest

VERBS = ("start", "promote", "pause", "resume", "rollback", "retry", "undo", "show", "watch")


def test_a_rollout_goes_its_way_command_by_command(pinion, gateway):
    """Start, promote to the last step, promote to complete: each prints one line with all that matters."""
    said = "verbs from 1.0.0 to 1.1.0: "
    assert f"{said}running, step 1 of 2, weight 10%\n" == pinion("rollout", "start", "verbs").stdout
    assert f"{said}running, step 2 of 2, weight 50%\n" == pinion("rollout", "promote", "verbs").stdout
    result = pinion("rollout", "promote", "verbs")
    assert (f"{said}completed, weight 100%\n", 0, "") == (result.stdout, result.exit_code, result.stderr)
    assert "1.1.0" == gateway.route("verbs")["stable"]


def test_full_completes_at_once(pinion, gateway):
    """`promote --full` skips the steps that are left."""
    pinion("rollout", "start", "full")
    assert 0 == pinion("rollout", "promote", "full", "--full").exit_code
    assert "completed" == gateway.route("full")["rollout"]["state"]


def test_a_reason_is_recorded(pinion, gateway):
    """`--reason` is kept with the act, and `show` tells it; `--json` prints what the gateway answers."""
    assert "asked from 1.0.0 to 1.1.0: held, before the first of 2 steps" in pinion("rollout", "show", "asked").stdout
    answer = json.loads(pinion("rollout", "start", "asked", "--reason", "the team agreed", "--json").stdout)
    assert ("the team agreed", "local", 1) == (answer["reason"], answer["actor"], answer["step"])
    assert answer == {**gateway.route("asked")["rollout"], "is_recorded": True}
    assert "start by local, step 1 of 2, weight 10%: the team agreed\n" in pinion("rollout", "show", "asked").stdout
    events = json.loads(pinion("rollout", "show", "asked", "--json").stdout)["events"]
    assert ["start", "hold"] == [event["verb"] for event in events][-2:]


def test_a_rollback_can_be_retried(pinion):
    """A rolled back candidate gets nothing, takes no promotion, and may be tried anew."""
    pinion("rollout", "start", "retried")
    rolled_back = pinion("rollout", "rollback", "retried")
    assert "retried from 1.0.0 to 1.1.0: rolled back, step 1 of 2, weight 0%\n" == rolled_back.stdout
    refused = pinion("rollout", "promote", "retried")
    assert (1, "") == (refused.exit_code, refused.stdout)
    assert refused.stderr.startswith("pinion: the rollout of retried from 1.0.0 to 1.1.0, attempt 1, is rolled_back")
    assert "running, step 1 of 2, weight 10%" in pinion("rollout", "retry", "retried").stdout


def test_a_paused_rollout_stays_until_it_is_resumed(pinion, gateway):
    """A pause takes no weight away, lets no step be left, and ends by a person's word."""
    pinion("rollout", "start", "paused")
    paused = pinion("rollout", "pause", "paused", "--reason", "it is Friday")
    assert ("paused from 1.0.0 to 1.1.0: paused, step 1 of 2, weight 10%\n", 0) == (paused.stdout, paused.exit_code)
    assert "it is Friday" == gateway.route("paused")["rollout"]["reason"]
    assert 1 == pinion("rollout", "promote", "paused").exit_code
    resumed = pinion("rollout", "resume", "paused").stdout
    assert "paused from 1.0.0 to 1.1.0: running, step 1 of 2, weight 10%\n" == resumed


def test_a_completed_rollout_can_be_undone(pinion, gateway):
    """The release before is stable again; `--to` names another warm one, and there is none."""
    pinion("rollout", "start", "undone")
    pinion("rollout", "promote", "undone", "--full")
    assert "warm       1.0.0, until " in pinion("status").stdout
    refused = pinion("rollout", "undo", "undone", "--to", "0.9.0")
    assert 1 == refused.exit_code
    assert "no warm release 0.9.0 to go back to; those that are: 1.0.0" in refused.stderr
    undone = pinion("rollout", "undo", "undone", "--to", "1.0.0", "--reason", "they changed their minds")
    assert ("undone from 1.0.0 to 1.1.0: rolled back, step 1 of 2, weight 0%\n", 0) == (undone.stdout, undone.exit_code)
    assert "1.0.0" == gateway.route("undone")["stable"]


def test_a_rollout_can_be_watched_to_its_end(pinion):
    """A real one, that is over: one line and its exit code."""
    pinion("rollout", "start", "watched")
    pinion("rollout", "rollback", "watched", "--reason", "no")
    result = pinion("rollout", "watch", "watched")
    assert (1, 1) == (result.exit_code, result.stdout.count("\n"))
    assert "watched from 1.0.0 to 1.1.0: rolled back, step 1 of 2, weight 0%; local: no\n" in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_route_is_a_no(pinion, verb):
    """A route that does not exist is exit code 1 and one line that names those that do."""
    result = pinion("rollout", verb, "nowhere")
    assert (1, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("pinion: no route 'nowhere'; there is ")
    assert "steady" in result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_a_route_without_a_rollout_is_a_no(pinion, verb):
    """A route that has had no rollout is exit code 1."""
    result = pinion("rollout", verb, "steady")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "steady has " in result.stderr
    assert "no rollout" in result.stderr


def test_a_verb_needs_its_route(alone):
    """Without a route a verb is misused."""
    assert 2 == alone("rollout", "start").exit_code
