"""Strict reading and byte-exact editing of JSON bodies."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Malformed
from gateway.wire import json_body
from gateway.wire.json_body import dump, elements, insert_first, members, parse, splice, without

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=6)
layouts = st.sampled_from(
    [{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"separators": (" , ", " : ")}]
)


@pytest.mark.untraced
@given(objects, layouts)
def test_what_is_json_is_read(value, layout):
    """Every object is read as the standard library reads it, in every layout."""
    body = json.dumps(value, **layout).encode()
    assert value == parse(b" \r\n\t" + body + b"\n")


@given(st.binary(max_size=40) | st.text('[]{}",:\\1eE+-. uda8', max_size=40).map(str.encode))
def test_no_bytes_raise_anything_but_malformed(body):
    """Whatever arrives is read or refused."""
    with suppress(Malformed):
        assert isinstance(parse(body), dict)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "not JSON"),
        (b"{", "line 1, column 2"),
        (b'{"a":1}x', "not JSON"),
        (b"[]", "one JSON object"),
        (b'"a"', "one JSON object"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a":"\xff"}', "offset 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'{"model":1,"model":2}', '"model" twice'),
        (b'{"a":[{"b":{"c":1,"d":2,"c":3}}]}', '"c" twice'),
        (b'{"mod\\u0065l":1,"model":2}', '"model" twice'),
        (b'{"\\n\\u001b":1,"\\n\\u001b":2}', r'"\\n\\u001b" twice'),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":[-Infinity]}', "-Infinity"),
        (b'{"a":"\\ud83d"}', "surrogate"),
        (b'{"a":{"\\uDE00":1}}', "surrogate"),
        (b'{"a":"\\\\ud83d\\ude00"}', "surrogate"),
        (b'{"a":' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"a":"\n"}', "control character"),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "more than 64 deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "more than 64 deep"),
        (b"[" * 100_000, "more than 64 deep"),
        (b'{"a":' * 100_000, "more than 64 deep"),
        (b"[" * 100_000 + b"]" * 100_000, "more than 64 deep"),
    ],
)
def test_what_is_refused_and_how_it_is_named(body, named):
    """Each body that two readers could read differently, or that could hurt a reader, is refused by name."""
    with pytest.raises(Malformed, match=named):
        parse(body)


def test_what_looks_like_a_fault_and_is_none():
    """Whole surrogate pairs, escaped backslashes, brackets in strings and the deepest allowed nesting are read."""
    assert {"a": "😀 \\ud800"} == parse(b'{"a":"\\ud83d\\uDE00 \\\\ud800"}')
    assert {"a": "[" * 100 + '"'} == parse(b'{"a":"' + b"[" * 100 + b'\\""}')
    assert parse(b'{"a":' + b"[" * 63 + b"]" * 63 + b"}")
    assert parse(b'{"a":[' + b"{}," * 100 + b"{}]}")
    with pytest.raises(Malformed, match="more than 2 deep"):
        parse(b'{"a":[[]]}', max_depth=2)


def test_dump_writes_what_the_fast_encoder_refuses():
    """Compact JSON, also for whole numbers of any size and for half a surrogate pair."""
    assert b'{"a":[1,"\xc3\xa9"]}' == dump({"a": [1, "é"]})
    assert b'{"a":123456789012345678901234567890}' == dump({"a": 123456789012345678901234567890})
    assert b'["\\ud83d"]' == dump(["\ud83d"])


@pytest.mark.untraced
@given(objects, layouts)
def test_members_lie_where_they_are_said_to_lie(value, layout):
    """Key and value of each member, cut out of the body, are the member."""
    body = b" " + json.dumps(value, **layout).encode()
    found = members(body)
    cut = [(json.loads(body[start:end]), body[key_start : key_start + 1]) for _, key_start, start, end in found]
    assert list(value) == [key for key, *_ in found]
    assert [(member, b'"') for member in value.values()] == cut


@given(st.lists(values, max_size=6), layouts)
def test_elements_lie_where_they_are_said_to_lie(value, layout):
    """Each element, cut out of the array, is the element."""
    array = json.dumps(value, **layout).encode()
    assert value == [json.loads(array[start:end]) for start, end in elements(array)]


@pytest.mark.untraced
@given(objects, layouts, st.dictionaries(texts, st.none() | values.map(dump), max_size=4), st.data())
def test_splice_changes_what_it_is_told_and_nothing_else(value, layout, edits, data):
    """The result is the object with its edits, in the same order; bytes of other members stay."""
    if value:
        edits |= data.draw(st.dictionaries(st.sampled_from(list(value)), st.none() | values.map(dump)))
    body = json.dumps(value, **layout).encode()
    expected = {key: member for key, member in value.items() if edits.get(key, b"") is not None}
    expected |= {key: json.loads(new) for key, new in edits.items() if new is not None}
    result = splice(body, edits, parsed=data.draw(st.sampled_from([None, value])))
    assert list(expected.items()) == list(parse(result).items())
    for key, key_start, _, value_end in members(body):
        if key not in edits:
            assert body[key_start:value_end] in result


@pytest.mark.untraced
@given(objects, layouts)
def test_splice_without_edits_is_the_identity(value, layout):
    """Nothing to do gives the same bytes."""
    body = json.dumps(value, **layout).encode()
    assert body == splice(body, {})


@pytest.mark.parametrize(
    ("body", "edits", "result"),
    [
        (b'{ "a" : 1.0e+2 , "b":[ ] }', {"b": b"2"}, b'{ "a" : 1.0e+2 , "b":2 }'),
        (b'{"mod\\u0065l":"x","z":0}', {"model": b'"y"'}, b'{"mod\\u0065l":"y","z":0}'),
        (b'{"a":1,"b":2,"c":3}', {"a": None}, b'{"b":2,"c":3}'),
        (b'{"a":1, "b":2, "c":3}', {"b": None}, b'{"a":1, "c":3}'),
        (b'{"a":1,\n "b":2,\n "c":3\n}', {"c": None}, b'{"a":1,\n "b":2\n}'),
        (b'{"a":1,"b":2,"c":3}', {"b": None, "c": None}, b'{"a":1}'),
        (b'{"a":1,"b":2,"c":3}', {"a": None, "b": None}, b'{"c":3}'),
        (b'{"a":1,"b":2,"c":3}', {"a": None, "c": b"4"}, b'{"b":2,"c":4}'),
        (b'{ "a":1 }', {"a": None}, b"{  }"),
        (b'{ "a":1 }', {"a": None, "b": b"2"}, b'{ "b":2 }'),
        (b'{"a":1,"b":2}', {"b": None, "c": b"3", "d": b"4"}, b'{"a":1,"c":3,"d":4}'),
        (b"{}", {"a": b"1", "b": b"2", "c": None}, b'{"a":1,"b":2}'),
        (b" { } ", {"a": b"1"}, b' {"a":1 } '),
        (b'{"a":1}', {"\u00e9\n": b"2"}, '{"a":1,"é\\n":2}'.encode()),
        (b'{"a":"}\\"]{\\\\","b":{"a":0}}', {"a": b"1"}, b'{"a":1,"b":{"a":0}}'),
    ],
)
def test_splice_keeps_layout_order_and_spelling(body, edits, result):
    """Whitespace, order, escapes and numbers stay as the application wrote them; commas stay right."""
    assert result == splice(body, edits)


def test_splice_copies_nothing_when_there_is_nothing_to_do():
    """A member that is not there need not be taken out: the body is the same object."""
    body = b'{"a":1}'
    assert splice(body, {"prompt": None}) is body


@pytest.mark.untraced
@given(objects, st.lists(values, max_size=3), layouts, values)
def test_splice_puts_elements_first(value, array, layout, first):
    """An array of the body gets a new first element where it lies, beside other edits."""
    body = json.dumps({**value, "turns": array, "z": 0}, **layout).encode()
    expected = {**value, "turns": [first, *array], "z": 1}
    edits = {"z": b"1", "y": b"2"}
    expected |= {"y": 2}
    for parsed in (None, json.loads(body)):
        assert expected == parse(splice(body, edits, first={"turns": dump(first)}, parsed=parsed))


@pytest.mark.parametrize(
    ("body", "edits", "result"),
    [
        (b'{"model":"a","n":1}', {"model": b'"b"'}, b'{"model":"b","n":1}'),
        (b'{"model": "a","n":-1.5e+3}', {"model": b'"b"', "n": b"2"}, b'{"model": "b","n":2}'),
        (b'{"n":1,"model":"a"}', {"model": b'"b"', "n": b"2", "z": b"3"}, b'{"n":2,"model":"b","z":3}'),
        (b'{"model":"a"} \r\n\t', {"model": b'"b"', "z": b"3"}, b'{"model":"b","z":3} \r\n\t'),
        (b'{"model":"a"}\n', {"y": None, "z": b"3"}, b'{"model":"a","z":3}\n'),
        (b'{"s":true,"t":null}', {"s": b"false", "t": b"1"}, b'{"s":false,"t":1}'),
        (b'{"model" :"a"}', {"model": b'"b"'}, b'{"model" :"b"}'),
        (b'{"x":{"y":0}, "model"\n\t: "a"}', {"model": b'"b"'}, b'{"x":{"y":0}, "model"\n\t: "b"}'),
        # what is not at sight: a name that occurs again, an escape, an object, a removal
        (b'{"model":"a","x":{"model":"c"}}', {"model": b'"b"'}, b'{"model":"b","x":{"model":"c"}}'),
        (b'{"x":[{"model":"c"}],"model":"a"}', {"model": b'"b"'}, b'{"x":[{"model":"c"}],"model":"b"}'),
        (b'{"a\\"model":"c","model":"a"}', {"model": b'"b"'}, b'{"a\\"model":"c","model":"b"}'),
        (b'{"model":"a\\"b"}', {"model": b'"b"'}, b'{"model":"b"}'),
        (b'{"model":"a\\\\"}', {"model": b'"b"'}, b'{"model":"b"}'),
        (b'{"a\\/b":"a"}', {"a/b": b'"b"'}, b'{"a\\/b":"b"}'),
        (b'{"o":{"a":1},"l":[1]}', {"o": b"{}", "l": b"[]"}, b'{"o":{},"l":[]}'),
        (b'{"model" :"a","x":{"model":"c"}}', {"model": b'"b"'}, b'{"model" :"b","x":{"model":"c"}}'),
        (b'{"role":"model","model":"a"}', {"model": b'"b"'}, b'{"role":"model","model":"b"}'),
        (b'{"a\\/b":1,"x":{"a/b":2}}', {"a/b": b"3"}, b'{"a\\/b":3,"x":{"a/b":2}}'),
        (b'{"model":"a","n":1}', {"model": b'"b"', "n": None}, b'{"model":"b"}'),
    ],
)
def test_what_lies_at_sight_is_changed_as_a_scan_would(body, edits, result):
    """Knowing what the body says saves the scan, or does not; the bytes that come out are the same."""
    assert result == splice(body, edits, parsed=parse(body)) == splice(body, edits)


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b'{"turns":[1],"z":0}', b'{"turns":[0,1],"z":0}'),
        (b'{"turns": [ ] }', b'{"turns": [0 ] }'),
        (b'{"turns":[1],"x":{"turns":[2]}}', b'{"turns":[0,1],"x":{"turns":[2]}}'),
        (b'{"x":{"turns":[2]},"turns":[]}', b'{"x":{"turns":[2]},"turns":[0]}'),
        (b'{"turns":[1],"x":"\\u0041"}', b'{"turns":[0,1],"x":"\\u0041"}'),
    ],
)
def test_an_array_at_sight_takes_its_first_element_as_by_a_scan(body, result):
    """The array of the top-level object, whatever nested ones have its name."""
    assert (
        result == splice(body, {}, first={"turns": b"0"}, parsed=parse(body)) == splice(body, {}, first={"turns": b"0"})
    )


keys = st.sampled_from(["a", "b", "a:", 'a"', "a\\", "\u00e9", ""])
spaces = st.sampled_from(["", " ", "\n", "\t", "\r", " \n"])


@st.composite
def written_objects(draw, depth=0):
    """An object written member by member, where keys may repeat and blanks stand anywhere."""
    inner = st.sampled_from(["1", '"x"', '"\\":"', '"a\\":1"', "null", "[]"])
    if depth < 2:
        inner |= written_objects(depth + 1) | written_objects(depth + 1).map(lambda text: f"[{text}]")
    space = spaces
    members = [
        f"{draw(space)}{json.dumps(draw(keys))}{draw(space)}:{draw(space)}{draw(inner)}{draw(space)}"
        for _ in range(draw(st.integers(0, 3)))
    ]
    return "{" + ",".join(members) + "}"


@given(written_objects())
def test_no_key_that_stands_twice_is_overlooked(text):
    """However an object is written, the fast reading refuses and reads what the strict one does."""

    def unique(pairs):
        if len(dict(pairs)) < len(pairs):
            raise LookupError
        return dict(pairs)

    try:
        expected = json.loads(text, object_pairs_hook=unique)
    except LookupError:
        with pytest.raises(Malformed, match="twice"):
            parse(text.encode())
    else:
        assert expected == parse(text.encode())


@given(written_objects(), st.dictionaries(keys, st.just(b"7"), max_size=3), layouts)
def test_what_is_seen_at_once_is_what_a_scan_finds(text, edits, layout):
    """With the parsed body or without it, an edit comes to the same object; nested keys of the same name are left."""
    try:
        parsed = parse(text.encode())
    except Malformed:
        return
    expected = {**parsed, **dict.fromkeys(edits, 7)}
    for body in (text.encode(), json.dumps(parsed, **layout).encode()):
        assert expected == parse(splice(body, edits, parsed=parsed)) == parse(splice(body, edits))


@pytest.mark.parametrize("number", [(1 << 63) - 1, -(1 << 63), (1 << 64) - 1, 1 << 64, -(1 << 63) - 1, 10**30])
def test_whole_numbers_are_read_alike(number):
    """Of more than 64 bits they are floats, whichever way a body is read."""
    quick = parse(b'{"n":%d}' % number)["n"]
    strict = parse(b'{"n" :%d}' % number)["n"]
    assert (number, type(quick)) == (quick, type(strict)) or (float(number), float) == (quick, type(strict))


@given(st.lists(values, max_size=6), layouts, st.sets(st.integers(0, 5)), values)
def test_arrays_are_edited_as_bytes(value, layout, indexes, first):
    """Elements go and come with their commas, whatever stands between them."""
    array = json.dumps(value, **layout).encode()
    kept = [element for index, element in enumerate(value) if index not in indexes]
    assert kept == json.loads(without(array, indexes))
    assert [first, *value] == json.loads(insert_first(array, dump(first)))


def test_array_edits_keep_the_layout():
    """What stays in an array keeps its bytes."""
    assert b"[ 1.0, 3 ]" == without(b"[ 1.0, 2,3 ]", [1])
    assert b'[{"a":1}, 2 ]' == insert_first(b"[ 2 ]", b'{"a":1}')
    assert b' [{"a":1} ]' == insert_first(b" [ ]", b'{"a":1}')


@pytest.mark.parametrize("read", [members, elements])
@pytest.mark.parametrize(
    "broken", [b"", b"  ", b"1", b'{"a":1', b"[1,", b'{"a', b'["a', b'{"a":[}', b'["\\"', b'{"a"}x', b'{"\\x":1}']
)
def test_what_is_broken_off_is_malformed(read, broken):
    """A body that is not whole is refused, not half read."""
    with pytest.raises(Malformed):
        read(broken)


def test_a_long_string_is_one_step():
    """An image of 20 MB is skipped as quickly as its bytes can be looked at."""
    body = b'{"image":"' + b"A" * (20 << 20) + b'","model":"x"}'
    assert b'"model":"y"}' == splice(body, {"model": b'"y"'})[-12:]


def test_a_string_of_escapes_is_read_whole():
    """Quotes and backslashes in every order end a string only where they should."""
    for text in ('"', "\\", '\\"', '"\\', '\\\\"', '"\\"\\', '\\\\\\"x"', '""'):
        body = dump({"a": text, "b": 1})
        assert b'{"a":0,"b":1}' == splice(body, {"a": b"0"})


def test_the_deepest_body_that_is_read_can_be_edited():
    """Reading and editing agree on how deep a body may nest."""
    depth = json_body.DEEPEST - 1
    body = b'{"a":' + b"[" * depth + b"]" * depth + b',"b":1}'
    assert parse(body)
    assert body.replace(b"1", b"2") == splice(body, {"b": b"2"})


def test_a_body_of_too_many_values_is_refused():
    """Millions of empty arrays would take a hundred times their bytes in memory, so they are refused unread."""
    with pytest.raises(Malformed, match="more than 2000000 values"):
        parse(b'{"a":[' + b"[]," * 2_000_000 + b"[]]}")
