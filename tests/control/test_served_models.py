"""What providers really serve, compared with what was pinned."""

import dataclasses

import pytest

from gateway.control.served_models import ServedModels
from tests.proxy import playbook


class Watch:
    """A watcher with what it did."""

    def __init__(self) -> None:
        self.meters, self.journal = playbook.Meters(), playbook.Journal()
        self.rollbacks: list[tuple[str, str, str]] = []
        self.served = ServedModels(self.meters, self.journal, lambda r, v, rule, _: self.rollbacks.append((r, v, rule)))

    def logged(self) -> list[str]:
        return [name for name, _ in self.journal.events]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_an_answer_of_the_pinned_model_is_no_mismatch(watch):
    """The pinned name counts nothing and logs nothing."""
    route = playbook.route()
    watch.served.saw(route, route.stable, "atlas-1.0.0", "fp_1")

    assert 0 == watch.meters.mismatches
    assert [] == watch.logged()
    assert {"served_model": "atlas-1.0.0", "fingerprint": "fp_1", "mismatches": 0} == watch.served.describe(
        "desk", "1.0.0"
    )


def test_every_mismatch_is_counted_and_a_change_is_logged_once(watch):
    """Three answers of another model are three mismatches and one line."""
    route = playbook.route()
    for _ in range(3):
        watch.served.saw(route, route.stable, "other", None)

    assert 3 == watch.meters.mismatches
    assert ["served_model_mismatch"] == watch.logged()
    assert 3 == watch.served.describe("desk", "1.0.0")["mismatches"]


def test_a_fingerprint_that_is_not_pinned_is_watched_for_change_alone(watch):
    """Another fingerprint is logged as a change and is no mismatch."""
    route = playbook.route()
    watch.served.saw(route, route.stable, "atlas-1.0.0", "fp_1")
    watch.served.saw(route, route.stable, "atlas-1.0.0", "fp_2")
    watch.served.saw(route, route.stable, "atlas-1.0.0", None)

    assert 0 == watch.meters.mismatches
    assert ["served_model_changed"] == watch.logged()


def test_a_pinned_fingerprint_is_held_against_answers(watch):
    """A policy that states a fingerprint makes another one a mismatch."""
    stable = playbook.release("1.0.0")
    model = dataclasses.replace(stable.model, fingerprint="fp_1")
    route = playbook.route(stable=dataclasses.replace(stable, model=model))
    watch.served.saw(route, route.stable, "atlas-1.0.0", "fp_2")

    assert 1 == watch.meters.mismatches


def test_a_model_without_an_exact_name_is_held_against_its_first_answer(watch):
    """A floating name's first answer is the measure of the later ones."""
    stable = playbook.release("1.0.0")
    model = dataclasses.replace(stable.model, served_model=None, floating="no dated name")
    route = playbook.route(stable=dataclasses.replace(stable, model=model))
    watch.served.saw(route, route.stable, "atlas-2026-01", None)
    watch.served.saw(route, route.stable, "atlas-2026-02", None)

    assert 1 == watch.meters.mismatches
    assert ["served_model_mismatch"] == watch.logged()


@pytest.mark.parametrize(("asked", "expected"), [("rollback", [("desk", "1.1.0", "mismatch")]), ("count", [])])
def test_a_candidates_mismatch_rolls_back_where_the_route_says_so(watch, asked, expected):
    """`on_mismatch` decides between counting and rolling back."""
    route = playbook.route(canary_ppm=50_000, on_mismatch=asked)
    watch.served.saw(route, route.releases["1.1.0"], "other", None)

    assert expected == watch.rollbacks


def test_a_stable_release_is_never_rolled_back_for_a_mismatch(watch):
    """There is nothing to roll stable back to: it is counted and logged."""
    route = playbook.route(canary_ppm=50_000, on_mismatch="rollback")
    watch.served.saw(route, route.stable, "other", None)

    assert [] == watch.rollbacks
    assert 1 == watch.meters.mismatches


def test_a_release_that_was_never_seen_is_described_as_unknown(watch):
    """Nothing is known before the first answer."""
    assert {"served_model": None, "fingerprint": None, "mismatches": 0} == watch.served.describe("desk", "9")


def test_what_a_provider_says_of_itself_is_kept_short_and_writable(watch):
    """A record of it can neither grow nor hold a lone surrogate, which UTF-8 cannot write."""
    route = playbook.route()
    watch.served.saw(route, route.stable, "\ud800" + "x" * 1_000, "\udfff")

    assert {"served_model": "?" + "x" * 199, "fingerprint": "?", "mismatches": 1} == watch.served.describe(
        "desk", "1.0.0"
    )
