"""The one error tree."""

import inspect
import re

import pytest

from gateway.core import errors

TYPES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.PinionError)]


def drawn():
    """The types that the module's docstring draws, with the status where it names one."""
    return dict(re.findall(r"\b([A-Z]\w+)(?: \((\d{3})\))?", errors.__doc__.partition("- PinionError")[2]))


def test_the_tree_is_drawn_as_it_is():
    """Every type is in the docstring, with its status."""
    told = drawn()
    named = {kind.__name__ for kind in TYPES} - {"PinionError"}
    assert set() == named - told.keys()
    for kind in TYPES:
        assert told.get(kind.__name__, "") in ("", str(kind.status))


@pytest.mark.parametrize("kind", [kind for kind in TYPES if issubclass(kind, errors.ClientFault)])
def test_a_clients_fault_is_a_4xx_with_a_code(kind):
    """The type says whose fault it is."""
    assert 400 <= kind.status < 500
    assert re.fullmatch(r"[a-z_]+", kind.code)


@pytest.mark.parametrize("kind", [errors.GatewayFault, errors.Unavailable, errors.UpstreamFault, errors.StoreFault])
def test_what_is_not_the_clients_is_a_5xx(kind):
    """Pinion's own, a provider's, the store's."""
    assert 500 <= kind.status < 600


def test_a_message_is_what_is_printed():
    """And kept by its name."""
    fault = errors.NotFound("no route 'x'; it may call desk")
    assert ("no route 'x'; it may call desk", fault.message) == (fault.message, str(fault))


def test_every_missing_key_is_one_message():
    """Nothing tells a missing key from a wrong one."""
    assert "The API key is missing or not valid; send the key of your application." == errors.Unauthenticated().message


def test_an_upstream_fault_has_its_kind():
    """By which it is told and tried again."""
    assert ("idle", "fell silent") == (
        errors.UpstreamFault("idle", "fell silent").kind,
        errors.UpstreamFault("idle", "fell silent").message,
    )


def test_a_policy_fault_tells_every_problem():
    """Each on one line: where, what, and what to do."""
    problems = [errors.Problem("a.yaml", 3, "no model", "name one"), errors.Problem("b.yaml", 1, "empty", "fill it")]
    fault = errors.PolicyFault(problems)
    assert "a.yaml:3: no model; name one\nb.yaml:1: empty; fill it" == str(fault)
    assert tuple(problems) == fault.problems
    assert problems == sorted(problems)
