"""Feedback: what it may say, and what it is attached to."""

from contextlib import asynccontextmanager

import pytest

from gateway.control.feedback import MAX_COMMENT, MAX_TEXT, Assessments, read_assessment
from gateway.core.arm_units import Wanted
from gateway.core.errors import Malformed, NotFound, StoreFault, Unavailable
from gateway.core.unit import find_unit, unit_digest
from tests.adapters.ledger_records import record
from tests.control.file_ledger import file_ledger
from tests.proxy.playbook import Clock

pytestmark = pytest.mark.anyio

SPLIT = {"split": "length/control", "track": "arm"}


class Desk:
    """Assessments over a real ledger, and what was told of them."""

    def __init__(self, ledger) -> None:
        self.ledger = ledger
        self.told = []
        self.assessments = Assessments(ledger, Clock(), lambda *said: self.told.append(said))

    async def say(self, app="helpdesk", **body):
        return await self.assessments.assess(app, read_assessment({"name": "resolved", "value": True, **body}))

    async def feedback(self):
        page = await self.ledger.exposures(Wanted("support", "length", ()), 0)
        return {exposure.record.request_id: exposure.feedback for exposure in page.exposures}


@asynccontextmanager
async def opened(folder):
    """A desk whose ledger is a file."""
    async with file_ledger(folder) as ledger:
        yield Desk(ledger)


@pytest.fixture
async def desk(tmp_path):
    """A desk with an empty ledger."""
    async with opened(tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"request_id": None}, "say what it is about"),
        ({"unit": "ada"}, "one of the two"),
        ({"request_id": ""}, "request_id must be a text, not an empty one"),
        ({"request_id": 7}, "request_id must be a text"),
        ({"request_id": "x" * 1025}, "request_id is over 1024 characters"),
        ({"model": "support"}, "model narrows a unit down"),
        ({"request_id": None, "unit": "ada", "model": "a", "route": "b"}, "two names of the same field"),
        ({"name": None}, "name must be 1 to 64 of a to z"),
        ({"name": "Resolved"}, "name must be 1 to 64"),
        ({"name": "a" * 65}, "name must be 1 to 64"),
        ({"value": None}, "value must be true, false, a number or a text"),
        ({"value": [1]}, "value must be true, false, a number or a text"),
        ({"value": float("nan")}, "value must be a finite number"),
        ({"value": 10**400}, "value must be a finite number"),
        ({"value": ""}, "value must be a text, not an empty one"),
        ({"value": "x" * (MAX_TEXT + 1)}, f"value is over {MAX_TEXT} characters"),
        ({"value": "a\0b"}, "NUL"),
        ({"comment": "a\0b"}, "comment must be a text, not an empty one, without the character NUL"),
        ({"comment": 1}, "comment must be a text"),
        ({"comment": "x" * (MAX_COMMENT + 1)}, f"comment is over {MAX_COMMENT} characters"),
        ({"score": 1}, "unknown field 'score'; there is request_id, unit"),
    ],
)
def test_what_cannot_be_taken_is_said(wrong, said):
    """With the field and what it takes."""
    with pytest.raises(Malformed, match=said):
        read_assessment({"request_id": "req-1", "name": "resolved", "value": True, **wrong})


@pytest.mark.parametrize(("value", "number"), [(True, 1.0), (False, 0.0), (0.8, 0.8), (3, 3.0), ("billing", None)])
def test_a_value_is_a_number_or_a_text(value, number):
    """True is 1."""
    said = read_assessment({"unit": "ada", "route": "support", "name": "a.b-c_1", "value": value, "comment": "hm"})
    assert (value, number, "support") == (said.value, said.number, said.route)


async def test_feedback_by_request_is_attached_to_who_served_it(desk):
    """The answer names it, what judges is told, and the ledger has it."""
    desk.ledger.append(record(1, **SPLIT))
    answer = await desk.say(request_id="req-1", value=0.8, comment="good")
    assert {
        "request_id": "req-1",
        "route": "support",
        "release": "support/1.0.0",
        "track": "arm",
        "name": "resolved",
        "value": 0.8,
    } == answer
    assert [(record(1, **SPLIT), "resolved", 0.8)] == desk.told
    assert {"req-1": {"resolved": 0.8}} == await desk.feedback()


async def test_the_latest_word_takes_the_place_of_an_earlier_one(desk):
    """Of the same name; a text is told to nobody, and a repetition neither: it would count as often as it is sent."""
    desk.ledger.append(record(1, **SPLIT))
    for said in ({"value": True}, {"value": False}, {"name": "category", "value": "billing"}):
        await desk.say(request_id="req-1", **said)
    assert {"req-1": {"resolved": 0.0, "category": "billing"}} == await desk.feedback()
    assert [1.0] == [value for _, _, value in desk.told]


async def test_feedback_by_unit_is_attached_to_its_newest_request(desk):
    """On the route that is named, or on any; a unit that is too long is digested as requests have it."""
    long = "u" * 3_000
    met = find_unit((), {"x-pinion-unit": long}.get, {}, "helpdesk")
    desk.ledger.append(record(5, unit_digest=unit_digest(met.value)))
    assert "req-5" == (await desk.say(unit=long))["request_id"]
    for number, changes in ((1, {}), (2, {"route": "drafts"}), (3, {"app": "other"}), (4, {"shadow_of": "req-1"})):
        desk.ledger.append(record(number, unit_digest=unit_digest("ada"), **changes))
    assert "req-2" == (await desk.say(unit="ada"))["request_id"]
    assert "req-1" == (await desk.say(unit="ada", model="support"))["request_id"]
    assert "req-3" == (await desk.say(unit="ada", app="other"))["request_id"]
    with pytest.raises(NotFound, match="no request of this application's unit is in the ledger;"):
        await desk.say(unit="eve")
    with pytest.raises(NotFound, match="in the ledger on drafts;"):
        await desk.say(unit=long, route="drafts")


async def test_a_unit_in_the_queue_is_seen(desk):
    """What is not written yet has been served all the same."""
    desk.ledger._queue.extend(record(number, unit_digest=unit_digest("ada")) for number in (1, 2))
    assert "req-2" == desk.ledger._newest_of_unit("helpdesk", unit_digest("ada"), "support").request_id
    assert None is desk.ledger._newest_of_unit("helpdesk", unit_digest("eve"), None)


@pytest.mark.parametrize(("app", "about"), [("other", "req-1"), ("helpdesk", "req-9"), ("helpdesk", "req-2")])
async def test_only_a_request_of_ones_own_can_be_spoken_of(desk, app, about):
    """Another application's, an unknown one and a mirrored copy are answered alike."""
    desk.ledger.append(record(1))
    desk.ledger.append(record(2, shadow_of="req-1"))
    with pytest.raises(NotFound, match=f"no request '{about}' of this application is in the ledger; records age out"):
        await desk.say(app, request_id=about)
    assert [] == desk.told


async def test_a_request_that_met_no_release_has_none_to_name(desk):
    """It may still be spoken of."""
    desk.ledger.append(record(1, release="", track=""))
    answer = await desk.say(request_id="req-1")
    assert (None, None) == (answer["release"], answer["track"])


async def test_a_ledger_that_is_away_is_said_without_its_name(desk):
    """An application may send it again; it learns nothing of files."""
    await desk.ledger.close()
    with pytest.raises(Unavailable, match="cannot be recorded now") as refused:
        await desk.say(request_id="req-1")
    assert isinstance(refused.value.__cause__, StoreFault)
    assert repr(desk.assessments).startswith("<Assessments into SqlLedger(")
