"""The values of a policy set: how they show themselves."""

from gateway.control.policy_values import ModelPolicy, Policies, Where
from gateway.core.app import App


def test_places_and_models_show_themselves_as_people_write_them():
    """A place as FILE:LINE, a model version as name@version."""
    where = Where("a.yaml", 3)
    model = ModelPolicy("gpt", "1", "p", "gpt-1", None, None, None, None, None, "", {}, {}, where)
    assert ("a.yaml:3", "gpt@1") == (str(where), str(model))


def test_a_set_shows_no_digest_of_a_key():
    """Digests of keys stay out of logs."""
    policies = Policies("r", {}, {}, {}, {}, {}, {b"digest": App("a")}, frozenset({"a"}), {}, (), ())
    assert "digest" not in repr(policies)
