"""The table of keys: what it accepts, what it says about the rest, and how models and patches win."""

from dataclasses import fields

import pytest

from gateway.simulator.behaviour import Behaviour, BehaviourError, Faults, StreamError

CASES = [
    ("latency", -1, "'latency' must be a number of at least 0, not -1"),
    ("latency", True, "'latency' must be a number of at least 0, not True"),
    ("error_rate", 1.5, "'error_rate' must be a number from 0 to 1, not 1.5"),
    ("error_status", 200, "'error_status' must be a whole number from 400 to 599, not 200"),
    ("length", 1.5, "'length' must be a whole number of at least 0, not 1.5"),
    ("omit_done", "yes", "'omit_done' must be true or false, not 'yes'"),
    ("answer", 3, "'answer' must be a text, not 3"),
    ("retry_after", [], "'retry_after' must be a text or a number, not []"),
    ("hang", "later", "'hang' must be one of head, first, middle, null, not 'later'"),
    ("usage", [], "'usage' must be a map, not []"),
    ("error_headers", {"a": "b\r\nc"}, "'error_headers' must be printable ASCII, not {'a': 'b\\r\\nc'}"),
    ("error_headers", {"a": {}}, "'error_headers' must be a text or a number, not {'a': {}}"),
    ("stream_error", {"when": 1}, "unknown key 'stream_error.when'; the known keys are after, message, type"),
    ("stream_error", {"after": -1}, "'stream_error.after' must be a whole number of at least 0, not -1"),
]


@pytest.mark.parametrize(("key", "value", "message"), CASES)
def test_a_wrong_value_is_named(key, value, message):
    """A value of the wrong kind is refused with its key, what the key accepts, and the value."""
    with pytest.raises(BehaviourError) as caught:
        Faults.read({key: value})
    assert message == str(caught.value)


def test_an_unknown_key_is_named():
    """An unknown key is refused by name, with the keys that exist."""
    with pytest.raises(BehaviourError, match=r"unknown key 'lenght'; the known keys are answer, .*length"):
        Faults.read({"lenght": 3})


def test_an_unknown_key_of_a_model_is_named_with_its_path():
    """A model's unknown key is named with the model."""
    with pytest.raises(BehaviourError, match=r"unknown key 'models\.m\.speed'"):
        Faults.read({"models": {"m": {"speed": 3}}})


@pytest.mark.parametrize("models", [[1], {"m": 3}])
def test_models_must_be_maps(models):
    """`models` is a map of maps."""
    with pytest.raises(BehaviourError, match="'models' must be a map from upstream model names"):
        Faults.read({"models": models})


def test_a_document_must_be_a_map():
    """A document that is no map is refused; an empty one has the defaults."""
    with pytest.raises(BehaviourError, match="must be a map of keys"):
        Faults.read([1])
    assert Behaviour() == Faults.read(None).default


def test_a_model_has_the_top_level_keys_with_its_own_over_them():
    """A model's keys win over the top level; other models keep the top level."""
    faults = Faults.read({"rate": 5, "length": 3, "models": {"m": {"length": 9}}})
    assert (5.0, 9) == (faults.of("m").rate, faults.of("m").length)
    assert (5.0, 3) == (faults.of("other").rate, faults.of(None).length)


def test_a_stream_error_has_defaults():
    """A stream error needs none of its keys."""
    assert StreamError() == Faults.read({"stream_error": {}}).default.stream_error


def test_a_patch_merges_and_its_nulls_remove():
    """A patch changes the keys that it names, per model too, and takes away those that it sets to null."""
    faults = Faults.read({"rate": 5, "length": 3, "models": {"m": {"length": 9, "hang": "head"}}})
    merged = faults.merged({"rate": None, "comments": True, "models": {"m": {"hang": None}, "k": {"length": 1}}})
    assert {
        "length": 3,
        "comments": True,
        "models": {"m": {"length": 9}, "k": {"length": 1}},
    } == merged.document


def test_a_patch_may_be_empty():
    """An empty patch changes nothing."""
    faults = Faults.read({"rate": 5})
    assert faults == faults.merged(None)


@pytest.mark.parametrize(
    ("name", "content"),
    [("faults.json", '{"rate": 5, "hang": "head"}'), ("faults.yaml", "rate: 5\nhang: head\n")],
)
def test_a_file_is_json_or_yaml_by_its_name(tmp_path, name, content):
    """A file that ends in `.json` is read as JSON, any other as YAML."""
    file = tmp_path / name
    file.write_text(content)
    assert Behaviour(rate=5.0, hang="head") == Faults.load(file).default


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("faults.json", "{", "unexpected end of data"),
        ("faults.yaml", "a: [", "while parsing"),
        ("faults.yaml", "speed: 1", "unknown key 'speed'"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, name, content, message):
    """What is wrong with a file is told with the file's name."""
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(BehaviourError) as caught:
        Faults.load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """A missing file is told as such."""
    with pytest.raises(BehaviourError, match="cannot be read: No such file or directory"):
        Faults.load(tmp_path / "none.yaml")


def test_every_key_can_be_read():
    """Each field of the table says how it is read."""
    assert all("read" in one.metadata for one in (*fields(Behaviour), *fields(StreamError)))
