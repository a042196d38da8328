"""Approvals through the service: who asks, who signs, and what time and change make of it."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.control.approvals import Approvals
from gateway.control.terms import Terms
from gateway.core.errors import NotPermitted, Overtaken, UnknownSubject, VerbRefused
from gateway.core.operator import LOCAL
from gateway.core.review import Review
from tests.control.approval_world import ENG, EVE, OPERATOR, SIGNING, governed, policy, request, sign
from tests.control.cards import FULL, card_text
from tests.control.serving_world import Store, files, once, route, serving
from tests.core.approval_samples import ADA, person

pytestmark = pytest.mark.anyio

MODEL = "atlas-1.1.0@2026-01-01"
TWO = policy(requires="{risk: 1, engineering: 1}")


@asynccontextmanager
async def asking(wanted=None, store=None):
    """A life whose route a policy governs, and that was asked to serve 1.1.0, with its approvals."""
    async with serving(files(route()), store) as process:
        wanted = wanted or governed("1.1.0")
        adopted = {**wanted, "all.yaml": wanted["all.yaml"].replace('serve: "1.1.0"', 'serve: "1.0.0"')}
        assert (await process.serving.reload(adopted)).accepted
        await process.serving.reload(wanted)
        yield process, Approvals(process.live, process.serving.considered)


def reviewed(process, version="1.1.0"):
    """How far the review of a release has come."""
    return process.live.state.standings["release", "desk", version].review


async def test_from_a_request_to_serving():
    """The review follows, and once it is approved the waiting set may be taken."""
    async with asking() as (process, approvals):
        made = await request(approvals)
        assert (Review.in_review, "ada") == (
            reviewed(process),
            process.live.state.standings["release", "desk", "1.1.0"].author,
        )
        assert [made] == list(approvals.open)
        after = await sign(approvals)
        assert ("approved", Review.approved, []) == (after.state.value, reviewed(process), list(approvals.open))
        assert await process.serving.follow()
        assert (await process.serving.reload(governed("1.1.0"))).accepted
        assert [after] == list(await approvals.past("desk", 10))
        assert ["approval_requested", "approved"] == [
            name for name, _ in process.journal.events if name.startswith("appro")
        ]


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (person("ada", "risk"), "ada asked for it"),
        (person("bot", "risk", is_person=False), "bot is no person"),
        (person("adm", roles=["admin"]), "adm signs for nothing"),
        (person("eve", "risk", identified="issued"), "eve is not identified as a person"),
    ],
)
async def test_who_may_not_sign_does_not(who, why):
    """Nor reject; and nothing is written."""
    async with asking() as (process, approvals):
        made = await request(approvals)
        with pytest.raises(NotPermitted, match=why):
            await sign(approvals, who)
        with pytest.raises(NotPermitted, match=why):
            await approvals.reject("desk", "1.1.0", who, "no")
        assert (made,) == process.store.disk.recorded.governance.requests


async def test_an_author_does_not_sign_under_whatever_name_the_content_is_registered():
    """Who registered the model version is an author of every release of it."""
    async with asking() as (process, approvals):
        model = next(
            each for each in process.live.state.standings.values() if each.kind == "model" and "1.1.0" in each.name
        )
        process.live.state.standings[model.key] = replace(model, author="eve")
        await request(approvals)
        with pytest.raises(NotPermitted, match="eve is an author of it"):
            await sign(approvals)


async def test_two_who_sign_last_at_once_make_one_transition():
    """Each in a gateway of their own: the second finds what the first has recorded."""
    store = Store()
    wanted = governed("1.1.0", approval=TWO, tail=SIGNING)
    async with asking(wanted, store) as (process, approvals):
        await request(approvals)
        async with serving(wanted, store) as other:
            others = Approvals(other.live, other.serving.considered)
            await asyncio.gather(sign(approvals, EVE), sign(others, ENG))
            (approval,) = store.disk.recorded.governance.approvals
            assert {"eve", "eng"} == {each.person for each in store.disk.requests[-1].sign_offs}
            assert approval.version == "1.1.0"
        assert process.live is not other.live


async def test_who_is_overtaken_again_and_again_is_told_so():
    """After three tries."""
    async with asking() as (process, approvals):
        await request(approvals)

        async def overtaken() -> None:
            raise Overtaken("somebody else was first")

        process.store.before = overtaken
        with pytest.raises(Overtaken):
            await sign(approvals)


@pytest.mark.parametrize("by_sign_off", [True, False])
async def test_what_has_changed_since_is_dismissed(by_sign_off):
    """Loudly, with what has changed; by the next sign-off, or by itself."""
    async with asking() as (process, approvals):
        await request(approvals)
        await approvals.follow()
        changed = governed("1.1.0", more="owner: somebody-else")
        await process.serving.reload(changed)
        await process.serving.reload(governed("1.0.0", more="owner: somebody-else"))
        if by_sign_off:
            with pytest.raises(VerbRefused, match="is dismissed: what was requested has changed since: release facts"):
                await sign(approvals)
        await approvals.follow()
        (event,) = process.events("request_dismissed")
        assert "what was requested has changed since: release facts" == event["reason"]
        assert Review.candidate is reviewed(process)
        assert [] == list(approvals.open)
        await request(approvals)


@pytest.mark.parametrize("now", [SIGNING[1:], (SIGNING[0].replace("risk", "product"), SIGNING[1])])
async def test_the_word_of_one_who_signs_no_more_is_no_word_for_what_is_not_approved_yet(now):
    """They are gone, or sign for something else: the request is dismissed, with whose word it was."""
    async with asking(governed("1.1.0", approval=TWO, tail=SIGNING)) as (process, approvals):
        await request(approvals)
        await sign(approvals)
        await approvals.follow()
        assert (await process.serving.reload(governed("1.0.0", approval=TWO, tail=now))).accepted
        with pytest.raises(VerbRefused, match="cannot be signed: eve signs for risk no more; withdraw it"):
            await sign(approvals, ENG)
        await approvals.follow()
        assert "eve signs for risk no more" == process.events("request_dismissed")[0]["reason"]
        assert [] == list(approvals.open)


async def test_a_gateway_that_never_knew_a_signer_takes_no_last_sign_off_and_dismisses_nothing():
    """Its files may be older, or newer: one that has both may take it."""
    store, files_of_all = Store(), governed("1.1.0", approval=TWO, tail=SIGNING)
    async with asking(files_of_all, store) as (_, approvals):
        await request(approvals)
        await sign(approvals)
        async with serving(governed("1.1.0", approval=TWO, tail=SIGNING[1:]), store) as other:
            others = Approvals(other.live, other.serving.considered)
            await others.follow()
            with pytest.raises(VerbRefused, match="eve signs for risk no more"):
                await sign(others, ENG)
        assert "approved" == (await sign(approvals, ENG)).state.value


async def test_a_process_that_never_saw_what_was_requested_dismisses_nothing_by_itself():
    """Its files may be older, or newer, than those of the gateway that took the request."""
    store = Store()
    async with asking(store=store) as (_, approvals):
        await request(approvals)
        older = governed("1.0.0", more="owner: before")
        async with serving(older, store) as other:
            await Approvals(other.live, other.serving.considered).follow()
        assert 1 == len(store.disk.recorded.governance.requests)


async def test_a_release_that_is_declared_no_more_is_dismissed():
    """There is nothing left to sign."""
    async with asking() as (process, approvals):
        await request(approvals)
        await approvals.follow()
        gone = files(route(releases="1.0.0"), policy())
        assert (await process.serving.reload(gone)).accepted
        await approvals.follow()
        assert "it is not declared any more" == process.events("request_dismissed")[0]["reason"]


async def test_a_request_expires_at_its_deadline():
    """And its release may be requested anew."""
    async with asking() as (process, approvals):
        await request(approvals)
        process.clock.now += 7 * 86_400.0
        with pytest.raises(VerbRefused, match="past its deadline"):
            await sign(approvals)
        await approvals.follow()
        assert "expired" == process.store.disk.requests[-1].state.value
        assert Review.candidate is reviewed(process)


async def test_a_request_near_its_deadline_is_told_of_once():
    """A warning in the journal, by one of the gateways."""
    async with asking() as (process, approvals):
        await request(approvals)
        process.clock.now += 6 * 86_400.0 - 1.0
        await approvals.follow()
        assert [] == process.events("approval_reminder")
        process.clock.now += 1.0
        await approvals.follow()
        await approvals.follow()
        assert [{"risk": 1}] == [each["missing"] for each in process.events("approval_reminder")]
        assert "approved" == (await sign(approvals)).state.value


@pytest.mark.parametrize("is_away", [True, False])
async def test_what_cannot_be_recorded_now_is_looked_at_again(is_away):
    """The store is away, or another gateway was first: nothing is lost."""
    async with asking() as (process, approvals):
        await request(approvals)
        process.clock.now += 7 * 86_400.0

        async def refuse() -> None:
            if is_away:
                process.store.away = True
            else:
                raise Overtaken("another was first")

        process.store.before = refuse
        await approvals.follow()
        assert 1 == len(approvals.open)
        process.store.before, process.store.away = once(lambda: None), False
        await approvals.follow()
        assert 0 == len(approvals.open)


async def test_a_gate_that_does_not_hold_keeps_the_last_sign_off_out():
    """The request stays open; what is missing is named."""
    async with asking(governed("1.1.0", approval=policy(more="gates: [rollback_plan]"))) as (_, approvals):
        await request(approvals)
        with pytest.raises(VerbRefused, match="rollback plan: no rollback plan is told"):
            await sign(approvals)
        await approvals.withdraw("desk", "1.1.0", ADA, "forgot the plan")
        await request(approvals, plan="serve 1.0.0")
        assert ["rollback plan"] == [
            str(gate) for gate, why in approvals.reviewed("desk", "1.1.0").gates if why is None
        ]
        assert "approved" == (await sign(approvals)).state.value


@pytest.mark.parametrize(
    ("cards", "why"),
    [
        ({}, f"model {MODEL} has no card; write a file .card.md whose governance.subject is {MODEL}"),
        ({MODEL: "  owner: TBD\n"}, f"the card of {MODEL} lacks owner \\(say who answers for it"),
        ({MODEL: FULL, "desk/1.1.0": ""}, "the card of desk/1.1.0 lacks owner \\("),
        ({MODEL: FULL.replace("2027", "1969")}, f"the card of {MODEL} lacks a review, due by 1969-03-31"),
        ({MODEL: FULL}, None),
        ({MODEL: FULL, "desk/1.1.0": FULL}, None),
    ],
)
async def test_a_gate_on_cards_keeps_the_last_sign_off_out_while_one_lacks_something(cards, why):
    """The model version's must be there, and the release's own must be complete where there is one."""
    texts = {f"{n}.card.md": card_text(more, subject=subject) for n, (subject, more) in enumerate(cards.items())}
    async with asking({**governed("1.1.0", approval=policy(more="gates: [card]")), **texts}) as (_, approvals):
        await request(approvals)
        ((gate, found),) = approvals.reviewed("desk", "1.1.0").gates
        assert "card" == str(gate)
        if why is None:
            assert found is None
            assert "approved" == (await sign(approvals)).state.value
        else:
            with pytest.raises(VerbRefused, match=f"while a gate does not hold: card: {why}"):
                await sign(approvals)


async def test_a_rejected_release_never_serves():
    """It is out at once, and may be requested no more."""
    async with asking() as (process, approvals):
        await request(approvals)
        await approvals.reject("desk", "1.1.0", EVE, "it lies")
        assert Review.rejected is reviewed(process)
        assert "rejected: it lies" == process.desk.out["1.1.0"]
        for refused in (
            request(approvals),
            approvals.grant("desk", "1.1.0", OPERATOR, until=process.clock.wall() + 60, reason="x"),
        ):
            with pytest.raises(VerbRefused, match="rejected: it lies; publish another version"):
                await refused


async def test_of_one_thing_one_request_is_open():
    """Who asks again is told who asked before."""
    async with asking() as (_, approvals):
        await request(approvals)
        with pytest.raises(VerbRefused, match="ada has asked for it already"):
            await request(approvals, who=OPERATOR)


async def test_only_a_known_person_asks_and_only_for_what_is_there():
    """Whoever is on the machine is nobody in particular."""
    async with asking() as (_, approvals):
        with pytest.raises(NotPermitted):
            await request(approvals, who=LOCAL)
        with pytest.raises(UnknownSubject, match=r"there is no release desk/9; "):
            await request(approvals, "9")
        with pytest.raises(UnknownSubject, match=r"nothing is requested of desk/1\.2\.0; pinion release request"):
            await sign(approvals, version="1.2.0")
        with pytest.raises(UnknownSubject, match="nothing is requested of approval policy prod"):
            await approvals.withdraw("prod", None, ADA, "")
        with pytest.raises(UnknownSubject, match="would change approval policy 'prod'"):
            await approvals.request_policy("prod", ADA, reason="")


async def test_what_nothing_governs_is_not_requested():
    """It serves without an approval."""
    async with asking(governed("1.1.0", approval=policy(more="environments: [elsewhere]"))) as (process, approvals):
        soon = process.clock.wall() + 60.0
        for refused in (request(approvals), approvals.grant("desk", "1.1.0", ADA, until=soon, reason="x")):
            with pytest.raises(VerbRefused, match=r"no approval policy governs desk/1\.1\.0 in default"):
                await refused
        assert approvals.reviewed("desk", "1.1.0").policy is None


async def test_a_change_of_a_policy_is_signed_under_the_one_in_force():
    """By the name of the policy; then the set that makes it is taken."""
    async with asking() as (process, approvals):
        wanted = governed("1.0.0", approval=policy(requires="{other: 1}"))
        assert not (await process.serving.reload(wanted)).accepted
        made = await approvals.request_policy("prod", ADA, reason="others sign now")
        assert {"risk": 1} == made.missing
        await approvals.sign("prod", None, EVE, role=None, digest=None, comment="")
        assert await process.serving.follow()
        assert (await process.serving.reload(wanted)).accepted


async def test_an_exception_ends_and_takes_the_release_out():
    """Within the second that somebody looks; its owner is told in the journal."""
    async with asking() as (process, approvals):
        until = process.clock.wall() + 60.0
        made = await approvals.grant("desk", "1.1.0", OPERATOR, until=until, reason="a trial")
        assert [made] == list(approvals.exceptions)
        assert await process.serving.follow()
        assert (await process.serving.reload(governed("1.1.0"))).accepted
        assert "1.1.0" not in process.desk.out
        process.clock.now += 60.0
        await approvals.follow()
        assert process.desk.out["1.1.0"].startswith("unapproved")
        assert await process.recording.settled(60)
        assert until == process.store.disk.recorded.governance.exceptions[0].ended_at
        assert ["oscar"] == [each["owner"] for each in process.events("exception_ended")]
        assert [] == list(approvals.exceptions)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 400 * 86_400.0])
async def test_an_exception_ends_within_a_year(seconds):
    """And after now."""
    async with asking() as (process, approvals):
        with pytest.raises(VerbRefused, match="ends after now, and within a year"):
            await approvals.grant("desk", "1.1.0", OPERATOR, until=process.clock.wall() + seconds, reason="x")


async def test_an_emergency_is_loud_until_it_is_reviewed():
    """It admits at once; overdue, it is told every minute; an approval reviews it."""
    hurried = policy(more="emergency: {roles: [operator], review_within: 1h}")
    async with asking(governed("1.1.0", approval=hurried)) as (process, approvals):
        with pytest.raises(NotPermitted, match="an emergency is for operator, and eve is none"):
            await approvals.emergency("desk", "1.1.0", EVE, reason="fire")
        await approvals.emergency("desk", "1.1.0", OPERATOR, reason="fire")
        assert 1 == len(process.events("emergency"))
        assert (await process.serving.reload(governed("1.1.0", approval=hurried))).accepted
        process.clock.now += 3600.0
        for _ in range(3):
            await approvals.follow()
        assert 1 == len(process.events("emergency_overdue"))
        process.clock.now += 60.0
        await approvals.follow()
        assert 2 == len(process.events("emergency_overdue"))
        await request(approvals)
        await sign(approvals)
        process.clock.now += 60.0
        await approvals.follow()
        assert 2 == len(process.events("emergency_overdue"))
        (kept,) = process.store.disk.recorded.governance.exceptions
        assert (None, True) == (kept.ended_at, kept.reviewed_at is not None and kept.overdue_at is not None)
        told = [act.action for act in process.store.disk.acts if act.action.startswith("release.")]
        assert ["release.emergency", "release.admit", "release.emergency_overdue"] == told[:3]
        assert 1 == told.count("release.emergency_overdue")


async def test_without_a_word_of_its_policy_there_is_no_emergency():
    """Nor for whoever is on the machine."""
    async with asking() as (_, approvals):
        with pytest.raises(NotPermitted, match="approval policy prod knows no emergency"):
            await approvals.emergency("desk", "1.1.0", OPERATOR, reason="fire")
        with pytest.raises(NotPermitted, match="local is not identified as a person"):
            await approvals.emergency("desk", "1.1.0", LOCAL, reason="fire")


async def test_a_release_requested_elsewhere_stays_in_review():
    """A withdrawal in one environment is none in the other; and an approval in one is not undone by the other."""
    store = Store()
    async with asking(store=store) as (process, approvals):
        assert "<Approvals 0 open>" == repr(approvals)
        await request(approvals)
        async with serving(governed("1.1.0"), store, Terms(environment="production")) as other:
            others = Approvals(other.live, other.serving.considered)
            assert [] == list(others.open)
            await request(others)
            await others.withdraw("desk", "1.1.0", ADA, "")
            assert Review.in_review is reviewed(other)
            await process.serving.follow()
            await sign(approvals)
            await other.serving.follow()
            await request(others)
            await others.reject("desk", "1.1.0", EVE, "not here")
            assert Review.approved is reviewed(other)
            assert "1.1.0" in other.desk.out


async def test_a_second_gateway_takes_over_what_was_approved_in_the_first():
    """It needs to be told nothing."""
    store = Store()
    async with asking(store=store) as (_, approvals):
        await request(approvals)
        async with serving(governed("1.1.0"), store) as other:
            assert "1.1.0" in other.desk.out
            await sign(approvals)
            assert await other.serving.follow()
            assert (await other.serving.reload(governed("1.1.0"))).accepted
            assert "1.1.0" not in other.desk.out


async def test_a_sign_off_whose_record_is_lost_counts_for_nothing():
    """A crash between two statements leaves all of it or nothing, since it is one transaction."""
    store = Store()
    async with asking(store=store) as (process, approvals):
        made = await request(approvals)
        store.before = once(lambda: setattr(store, "away", True))
        with pytest.raises(Exception, match="away"):
            await sign(approvals)
        store.away = False
        assert (made,) == store.disk.recorded.governance.requests
        assert (made,) == process.live.state.governance.requests


async def test_what_there_is_is_known():
    """Releases of the set that serves and of the registry, policies in force and those that are asked for."""
    async with asking() as (_, approvals):
        asked = [("desk", "1.1.0"), ("desk", "9.9.9"), ("other", "1.1.0"), ("prod", None), ("desk", None)]
        assert [True, False, False, True, False] == [approvals.knows(*each) for each in asked]
