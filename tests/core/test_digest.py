"""Digests: equal values agree, different ones do not."""

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.digest import canonical, digest, finite

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ({"b": 1, "a": [True, None, "x"]}, b'{"a":[true,null,"x"],"b":1}'),
        ({"t": 1.0, "u": -0.0, "v": 0.5}, b'{"t":1,"u":0,"v":0.5}'),
        (1e300, b"1e+300"),
        ("é\n", '"é\\n"'.encode()),
        ((1, 2), b"[1,2]"),
        (MappingProxyType({"a": {"z": 2.0}}), b'{"a":{"z":2}}'),
    ],
)
def test_the_canonical_form(value: object, form: bytes):
    """Sorted keys, no spaces, UTF-8, and whole floats as integers."""
    assert form == canonical(value)


@given(JSON)
def test_the_form_means_the_value(value: object):
    """The canonical form is JSON for a value equal to the one it was made of."""
    assert value == json.loads(canonical(value))


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]):
    """Equal objects have equal digests."""
    assert digest(value) == digest(dict(reversed(value.items())))


def test_a_lone_surrogate_has_a_digest():
    """What JSON can carry can be digested, and is not taken for something else."""
    assert digest(json.loads('"\\ud800"')) != digest("?")


def test_a_digest_is_sha_256():
    """The digest of the empty object is a well-known number."""
    assert "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" == digest({})


def test_what_is_no_json_is_refused():
    """Numbers that are not finite, and other objects, have no form."""
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})
    with pytest.raises(TypeError):
        canonical({"a": object()})


def test_what_has_no_form_becomes_null():
    """Numbers that are not finite, wherever they stand."""
    assert {"a": [None, 1.5, [None]], "b": "x"} == finite({"a": (float("inf"), 1.5, [float("nan")]), "b": "x"})
