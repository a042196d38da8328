"""A gateway's own `serve:` lines: which count, which others have gone on from, and what is said of those."""

import pytest

from gateway.control.judge_lease import JudgeLease
from gateway.control.policies import load
from gateway.control.serve_lines import ServeLines
from gateway.core.route_record import RouteRecord, ServeLine
from tests.control.serving_world import Clock, Disk, Store, files, route

pytestmark = pytest.mark.anyio

BEHIND = {"desk": RouteRecord("desk", "1.0.0", "1.1.0", attempts={("1.0.0", "1.1.0"): 1})}


def routes():
    """The routes of a set whose line is 1.0.0."""
    return tuple(load(files(route())).routes.values())


def lines(disk: Disk) -> ServeLines:
    """Those of a gateway on a disk, whose clock stands at a thousand seconds."""
    clock = Clock()
    made = ServeLines(JudgeLease(Store(disk), clock), clock)
    made.clock = clock
    return made


async def test_the_lease_is_asked_for_only_where_a_line_depends_on_it():
    """A route that is new, one that is as recorded, and one that asks in any case need no leader."""
    disk = Disk()
    one = lines(disk)
    for records in (
        {},
        {"desk": RouteRecord("desk", "1.0.0", "1.0.0")},
        {"desk": RouteRecord("desk", "2.0.0", "2.0.0")},
    ):
        assert not await one.leads(routes(), records)
    assert {} == disk.leases
    assert await one.leads(routes(), BEHIND)
    assert ["judging"] == list(disk.leases)
    assert not await lines(disk).leads(routes(), BEHIND)


def test_a_line_that_waits_for_approval_has_not_counted():
    """It is as after a start, and asks once it is granted."""
    one = lines(Disk())
    (desk,) = routes()
    one.note(routes(), BEHIND, held={"desk"})
    assert (ServeLine("1.0.0", None, leads=True), ()) == (one.line(desk, leads=True), one.left_behind)
    one.note(routes(), BEHIND, held=())
    assert ServeLine("1.0.0", "1.0.0", leads=False) == one.line(desk, leads=False)


def test_what_others_have_gone_on_from_is_told_with_its_place_until_it_is_no_longer_so():
    """With both releases and what goes back."""
    one = lines(Disk())
    one.note(routes(), BEHIND, held=())
    (told,) = one.left_behind
    assert ("all.yaml", 8) == (told.file, told.line)
    assert "route desk asks for 1.0.0 here, and other gateways have gone on to 1.1.0" in told.problem
    assert "<ServeLines 1, 1 of them left behind>" == repr(one)
    one.note(routes(), {"desk": RouteRecord("desk", "1.0.0", "1.0.0")}, held=())
    assert () == one.left_behind


@pytest.mark.parametrize(("later", "free", "counts"), [(11.0, True, True), (11.0, False, False), (16.0, True, False)])
async def test_lines_count_after_all_where_nobody_else_was_there_at_the_start(later, free, counts):
    """The lease of one that had gone ends soon; one that ends later was another's who lived."""
    disk = Disk()
    disk.leases["judging"] = object()
    one = lines(disk)
    assert not await one.leads(routes(), BEHIND)
    one.note(routes(), BEHIND, held=())
    one.clock.now += later
    if free:
        disk.leases.clear()
    (desk,) = routes()
    assert counts is await one.count_after_all()
    assert ServeLine("1.0.0", None if counts else "1.0.0", leads=True) == one.line(desk, leads=True)
    assert not await one.count_after_all()
