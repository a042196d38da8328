"""What an experiment's arms show beside its control, and which of them is taken out."""

import pytest

from gateway.core.assignment import arm_split
from gateway.core.record import Tried
from tests.control.judged_world import Traffic
from tests.control.serving_world import Store, files, route, serving

pytestmark = pytest.mark.anyio

GUARD = "[{metric: error_rate, max: 0.05}]"


def trial(a: str = "1.0.0", b: str = "1.1.0", *, control: str = "a", guardrails: str = GUARD) -> dict:
    """The files of a route with an experiment of two arms."""
    arms = f'a: {{release: "{a}", percent: 50}}, b: {{release: "{b}", percent: 50}}'
    keys = f"name: length, control: {control}, arms: {{{arms}}}, guardrails: {guardrails}"
    return files(route(more=f"experiment: {{{keys}}}"))


class Arms(Traffic):
    """The requests of an experiment's arms."""

    def answer(self, arm: str, outcome: str = "ok", count: int = 1, **changes) -> None:
        """Requests that fell on an arm, whose release ended them so."""
        release = next(each.release.version for each in self._process.desk.experiment.arms if each.name == arm)
        attempts = (Tried(release, "arm", outcome, 200 if outcome == "ok" else 503),)
        given = {"release": release, "attempts": attempts, "split": arm_split("length", arm), **changes}
        self.come(count, "arm", outcome, **given)

    async def fail(self, arm: str, other: str, looks: int = 6) -> None:
        """One arm fails for a while, the other does not."""

        def each() -> None:
            self.answer(arm, "failed", 4)
            self.answer(arm, "ok", 2)
            self.answer(other, "ok", 6)

        await self.seconds(looks, each)


async def test_an_arm_that_breaches_a_guardrail_is_out_at_once():
    """In this life and the next, for the reason that was found; control's units stay where they are."""
    store = Store()
    async with serving(trial(), store) as process:
        await Arms(process).fail("b", "a")
        assert ["1.1.0"] == list(process.desk.out)
        assert process.desk.out["1.1.0"].startswith(
            "out of experiment length: guardrail: error_rate: worse beyond chance (e-value "
        )
        assert [("desk", "guardrail")] == process.meters.rollbacks
        event = process.events("arm_out")[0]
        assert ("error", "length", "breach") == (
            event["level"],
            event["experiment"],
            event["evidence"]["findings"][0]["verdict"],
        )
        await Arms(process).seconds(3)
        assert 1 == len(process.events("arm_out"))
        assert await process.recording.settled(60)

    async with serving(trial(), store) as process:
        assert ["1.1.0"] == list(process.desk.out)


async def test_an_arm_needs_no_store_to_be_taken_out():
    """The record follows."""
    async with serving(trial()) as process:
        assert await process.recording.settled(60)
        process.store.away = True
        await Arms(process).fail("b", "a")
        assert (["1.1.0"], ()) == (list(process.desk.out), process.store.disk.recorded.arms_out)
        process.store.away = False
        assert await process.recording.settled(60)
        assert ["1.1.0"] == [gone.release for gone in process.store.disk.recorded.arms_out]


async def test_a_good_arm_stays():
    """However long it is looked at."""
    async with serving(trial()) as process:
        arms = Arms(process)
        await arms.seconds(20, lambda: (arms.answer("a", count=10), arms.answer("b", count=10)))
        assert ({}, "<WatchedArms of 1 experiments>") == (process.desk.out, repr(process.judging._arms))


@pytest.mark.parametrize(("stable_arm", "control"), [("a", "a"), ("b", "a"), ("a", "b")])
async def test_control_and_stable_are_never_taken_out(stable_arm, control):
    """Whichever arm fails: without control there is no experiment, without stable no route."""
    releases = {"a": "1.1.0", "b": "1.1.0", stable_arm: "1.0.0"}
    for failing, other in (("a", "b"), ("b", "a")):
        async with serving(trial(**releases, control=control)) as process:
            await Arms(process).fail(failing, other)
            expected = [] if failing in (stable_arm, control) else [releases[failing]]
            assert expected == list(process.desk.out)


@pytest.mark.parametrize("release", ["1.0.0", "1.1.0"])
async def test_two_arms_with_controls_release_are_no_comparison(release):
    """An A/A test shows how much chance does; to take its release out would take control out, too."""
    async with serving(trial(release, release)) as process:
        await Arms(process).fail("b", "a")
        assert {} == process.desk.out


async def test_arms_with_one_release_are_told_apart_by_their_split():
    """Each has its own evidence; the one that breaches takes the release out."""
    arms = ", ".join(f'{name}: {{release: "{version}", percent: 30}}' for name, version in ARMS_OF_ONE.items())
    policies = files(route(more=f"experiment: {{name: length, control: a, arms: {{{arms}}}, guardrails: {GUARD}}}"))
    async with serving(policies) as process:
        traffic = Arms(process)
        traffic.answer("b", count=3)
        traffic.answer("c", "failed", count=2)
        process.judging.gather()
        comparison = process.judging._arms._experiments["desk"]
        assert {"length/b": (3, 0), "length/c": (2, 2)} == {
            split: (evidence.candidate.judged, evidence.candidate.failed) for split, evidence in comparison.arms.items()
        }


ARMS_OF_ONE = {"a": "1.0.0", "b": "1.1.0", "c": "1.1.0"}


async def test_what_is_not_of_the_experiment_is_not_heard():
    """Another split, none at all, an earlier snapshot, and units that no arm holds."""
    async with serving(trial()) as process:
        traffic = Arms(process)
        for changes in ({"split": "earlier/b"}, {"split": None}, {"epoch": 0}, {"route": "other"}):
            traffic.answer("b", "failed", 50, **changes)
        await traffic.seconds(3)
        traffic.answer("b", "failed", 1)
        process.judging.gather()
        (evidence,) = process.judging._arms._experiments["desk"].arms.values()
        assert ({}, 1) == (process.desk.out, evidence.candidate.judged)


async def test_feedback_counts_for_the_arm_that_held_the_unit():
    """Control's for each comparison with it."""
    async with serving(trial(guardrails="[{metric: feedback.rating, max_delta: 1}]")) as process:
        traffic = Arms(process)
        for arm, rating in (("a", 5.0), ("b", 2.0), ("z", 1.0)):
            record = traffic.record("arm", split=arm_split("length", arm))
            process.judging.hear_feedback(record, "rating", rating)
        (evidence,) = process.judging._arms._experiments["desk"].arms.values()
        assert [(1, 5.0), (1, 2.0)] == [
            (side.mean("feedback.rating").n, side.mean("feedback.rating").mean)
            for side in (evidence.stable, evidence.candidate)
        ]


async def test_feedback_of_one_unit_counts_five_times():
    """However many requests it is about, for an arm's and for control's."""
    async with serving(trial(guardrails="[{metric: feedback.rating, max_delta: 1}]")) as process:
        traffic = Arms(process)
        for number in range(20):
            for arm in ("a", "b"):
                record = traffic.record(
                    "arm", split=arm_split("length", arm), unit_digest="0a" * 8, request_id=f"{number}"
                )
                process.judging.hear_feedback(record, "rating", 1.0)
        (evidence,) = process.judging._arms._experiments["desk"].arms.values()
        assert [5, 5] == [side.mean("feedback.rating").n for side in (evidence.stable, evidence.candidate)]


async def test_evidence_begins_anew_when_the_experiments_keys_change():
    """Not with every reload, nor with another route's change."""
    async with serving(trial()) as process:
        traffic = Arms(process)
        traffic.answer("b", count=5)
        process.judging.gather()
        for policies, judged in ((trial(), 5), (trial(guardrails="[{metric: error_rate, max: 0.2}]"), 0)):
            assert (await process.serving.reload({**policies, "b.yaml": "kind: app\nname: a\nkeys: []\n"})).accepted
            (evidence,) = process.judging._arms._experiments["desk"].arms.values()
            assert judged == evidence.candidate.judged


async def test_an_experiment_without_guardrails_is_not_watched():
    """Nor one that has ended; nothing is kept in mind of them."""
    async with serving(trial(guardrails="[]")) as process:
        assert [] == list(process.judging._arms.routes)
        assert (await process.serving.reload(trial())).accepted
        assert ["desk"] == list(process.judging._arms.routes)
        assert (await process.serving.reload(files(route()))).accepted
        assert ([], {}) == (list(process.judging._arms.routes), process.judging._heard)
