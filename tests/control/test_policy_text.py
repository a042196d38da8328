"""From the text of policy files to documents: the YAML that is accepted, and where everything stands."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.control import policy_text
from gateway.control.policy_text import (
    MAX_DEPTH,
    MAX_NODES,
    Document,
    WrittenFloat,
    WrittenInt,
    one_line,
    plain,
    read_documents,
    stays_text,
)


def value_of(text):
    """The one value under `a`."""
    (document,) = read_documents("a.yaml", f"a: {text}\n").documents
    return document.value["a"]


def said(file, text):
    """What is wrong with a file, as lines and problems."""
    return [(problem.line, problem.problem) for problem in read_documents(file, text).problems]


def test_documents_know_the_line_of_every_place():
    """Keys, items of lists and nested ones have their line, and what was not written has that of what is around it."""
    text = "kind: x\n---\na:\n  - b: 1\n    c: 2\n  - [3,\n     4]\n"
    first, second = read_documents("a.yaml", text).documents
    assert Document("a.yaml", {"kind": "x"}, {(): 1, ("kind",): 1}) == first
    assert {
        (): 3,
        ("a",): 3,
        ("a", 0): 4,
        ("a", 0, "b"): 4,
        ("a", 0, "c"): 5,
        ("a", 1): 6,
        ("a", 1, 0): 6,
        ("a", 1, 1): 7,
    } == second.lines
    assert (3, 5, 6) == (second.line, second.line_of(("a", 0, "c", "x", 1)), second.line_of(("a", 1)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("2024-08-06", "2024-08-06"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.50", 1.5),
        ("5.", 5.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, expected):
    """Only true, false, null and numbers are not text, and quotes always make text."""
    value = value_of(text)
    assert expected == value
    assert isinstance(value, type(expected))


@pytest.mark.parametrize(("text", "kind"), [("1.0", WrittenFloat), ("007", WrittenInt)])
def test_numbers_keep_how_they_were_written(text, kind):
    """A number may turn out to be a version's text."""
    value = value_of(text)
    assert isinstance(value, kind)
    assert text == value.written
    assert type(plain(value)) in (int, float)


def test_plain_data_is_json():
    """Nothing of how numbers were written is left, at any depth."""
    value = plain(value_of("{b: [1, 2.5, {c: x}], d: true, e: null}"))
    assert {"b": [1, 2.5, {"c": "x"}], "d": True, "e": None} == value
    assert [int, float] == [type(number) for number in value["b"][:2]]


def test_keys_are_text_as_written():
    """A key that looks like a number or a truth stays what was written."""
    (document,) = read_documents("a.yaml", "1.0: a\n1.00: b\ntrue: c\n2024-08-06: d\n").documents
    assert {"1.0": "a", "1.00": "b", "true": "c", "2024-08-06": "d"} == document.value


@pytest.mark.parametrize("text", ["", "\n \n", "# a remark\n", "---\n---\n", "null\n"])
def test_a_file_without_anything_is_a_problem(text):
    """Of remarks alone, too: it may have been emptied, and what it declared is lost."""
    reading = read_documents("a.yaml", text)
    assert ([], True) == (reading.documents, reading.cut)
    assert [
        "a.yaml:1: the file declares nothing; write what it is to declare, or delete the file if that is meant"
    ] == [str(problem) for problem in reading.problems]


@pytest.mark.parametrize("text", ["---\n---\na: 1\n", "a: 1\n---\n", "# a remark\n---\na: 1\n---\n# another\n"])
def test_a_document_without_anything_is_passed_over(text):
    """Beside others."""
    reading = read_documents("a.yaml", text)
    assert ([{"a": 1}], [], False) == ([each.value for each in reading.documents], reading.problems, reading.cut)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: &x 1\nb: *x\n", [(1, "an anchor (&x) is not allowed"), (2, "an alias (*x) is not allowed")]),
        ("a: !!python/object:os.system x\n", [(1, "a tag (tag:yaml.org,2002:python/object:os.system) is not allowed")]),
        ("a: !!str 1\n", [(1, "a tag (tag:yaml.org,2002:str) is not allowed")]),
        ("a: {}\n<<: {b: 1}\n", [(2, "a merge key (<<) is not allowed")]),
        ("a: 1\nb: 2\na: 3\n", [(3, "the key 'a' is written twice")]),
        ("a:\n  b: 1\n  b: 2\n  b: 3\n", [(3, "the key 'b' is written twice"), (4, "the key 'b' is written twice")]),
        ("- a\n", [(1, "the document is not a set of keys")]),
        ("text\n", [(1, "the document is not a set of keys")]),
        ("a: .inf\n", [(1, "the number .inf is not a finite one of fair length")]),
        (
            "a: -.INF\nb: .NaN\n",
            [
                (1, "the number -.INF is not a finite one of fair length"),
                (2, "the number .NaN is not a finite one of fair length"),
            ],
        ),
        ("a: 1e999\n", [(1, "the number 1e999 is not a finite one of fair length")]),
        ('a: "\\uD800"\n', [(1, "an escape stands for half a character")]),
        ("a: 1\n? [b]\n: 2\n", [(2, "a key must be plain text")]),
        ("a: 1\n&x b: 2\n", [(2, "an anchor (&x) is not allowed")]),
        ("a: [1\nb: c\n", [(2, "not valid YAML: expected ',' or ']', but got ':'")]),
        ("a: 1\n\tb: 2\n", [(2, "not valid YAML: found character '\\t' that cannot start any token")]),
        ("a: 1\nb: \x07\n", [(2, "the character U+0007 cannot stand in YAML")]),
        ('a: 1\nb: "\\UFFFFFFFF"\n', [(1, "not valid YAML: a number that cannot be")]),
    ],
)
def test_what_is_refused_is_told_with_its_line(text, problems):
    """Everything beyond the small YAML of policies is a problem where it stands."""
    assert problems == said("a.yaml", text)


def test_a_very_long_number_is_refused():
    """Digits without end are not converted."""
    ((line, problem),) = said("a.yaml", f"a: {'9' * 10_000}\n")
    assert 1 == line
    assert problem.startswith("the number 9999")
    assert len(problem) < 200


def test_deep_nesting_is_refused():
    """Depth is bounded while reading, whatever comes below."""
    assert [(1, f"values nest deeper than {MAX_DEPTH}")] == said("a.yaml", "a: " + "[" * 100_000)
    assert [] == said("a.yaml", "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))


def test_too_many_values_are_refused():
    """A file's size in values is bounded."""
    text = "a: [" + "1," * (MAX_NODES + 1) + "]\n"
    assert [(1, f"the file holds more than {MAX_NODES} values")] == said("a.yaml", text)


def test_documents_before_an_error_count():
    """An error of syntax costs the rest of its file, and the reading says so."""
    reading = read_documents("a.yaml", "a: 1\n---\nb: [\n")
    assert ([{"a": 1}], True) == ([document.value for document in reading.documents], reading.cut)


def test_a_prompt_is_its_front_matter_and_its_text():
    """The text is kept as it stands, but for the line end after the marker and the file's last one."""
    text = "\ufeff---\nkind: prompt\nversion: 1.0\n---  \n\n Hello {{a}}\n---\n\n"
    (document,) = read_documents("p.prompt", text).documents
    assert {"kind": "prompt", "version": 1.0, "text": "\n Hello {{a}}\n---\n"} == document.value
    assert {(): 2, ("kind",): 2, ("version",): 3, ("text",): 5} == document.lines


@pytest.mark.parametrize(
    ("ending", "text"), [("", "x"), ("\n", "x"), ("\r\n", "x"), ("\r\n\r\n", "x\r\n"), ("\r", "x\r")]
)
def test_one_line_end_at_the_end_of_a_prompt_is_the_files(ending, text):
    """An editor's last newline is no part of a prompt."""
    (document,) = read_documents("p.prompt", f"---\r\nkind: prompt\r\n---\r\nx{ending}").documents
    assert text == document.value["text"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("You are", [(1, "the prompt file has no front matter")]),
        ("", [(1, "the prompt file has no front matter")]),
        ("---\nkind: prompt\n", [(1, "the prompt file has no front matter")]),
        ("\n---\nkind: prompt\n---\n", [(1, "the prompt file has no front matter")]),
        ("---\n---\nx", [(1, "the front matter holds 0 documents")]),
        (
            "---\na: 1\n...\nb: 2\n---\nx",
            [(4, "not valid YAML: expected '<document start>', but found '<block mapping start>'")],
        ),
        ("---\n- a\n---\nx", [(2, "the document is not a set of keys"), (1, "the front matter holds 0 documents")]),
        ("---\nkind: prompt\na: [\n---\nx", [(4, None)]),
        ("---\nkind: prompt\na: 1\na: 2\n---\nx", [(4, "the key 'a' is written twice")]),
        ("---\nkind: prompt\ntext: a\n---\nx", [(3, "the front matter has a key 'text'")]),
        ("---\nkind: model\n---\nx", [(2, "a .prompt file holds a document of another kind")]),
    ],
)
def test_a_prompt_file_that_is_none_is_told(text, problems):
    """Front matter must be there, be one set of keys, and be a prompt's."""
    found = said("p.prompt", text)
    assert [line for line, _ in problems] == [line for line, _ in found]
    assert all(problem in (None, given) for (_, problem), (_, given) in zip(problems, found, strict=True))


SIGNS = "ab:-[]{}&*!?#|>'\"\\%@~<,.01 \n\t\r\x85\u2028\xa0\x7f\0\xe9\U0001f600"
WORDS = (
    "a: ",
    "b: ",
    "- ",
    ": ",
    "? ",
    " # r",
    "\n  ",
    "null",
    "true",
    "1.0",
    "<<: ",
    "\\x41",
    "\\u00e9",
    "---\n",
    "...\n",
)
FORMS = ("|\n  x\n", ">-\n  ", "|2\n", "'a'", '"a"', "'it''s'", '"\\\n  x"', "[a, b]", "{a: b}", "%YAML 1.2\n")
PIECES = st.sampled_from([*SIGNS, *WORDS, *FORMS])
"""What YAML is made of. A byte order mark stands at the head of a file alone: within, the two parsers differ on it."""


def read_by(loader, text):
    """What one of the two parsers makes of a text: what is said, and where; None where it refuses."""
    reader = policy_text._Reader("a.yaml", text, 1, loader)
    try:
        reader.read()
    except (yaml.YAMLError, ValueError, OverflowError, policy_text._Unbuildable):
        return None
    documents, problems = reader.reading.documents, reader.reading.problems
    said = repr(([each.value for each in documents], [each.problem for each in problems]))
    return said, ([dict(each.lines) for each in documents], list(map(str, problems)))


@pytest.mark.untraced
@pytest.mark.skipif(not yaml.__with_libyaml__, reason="needs PyYAML with libyaml")
@settings(max_examples=1_000)
@given(st.lists(PIECES, max_size=14).map("".join).map(lambda text: f"a: {text}") | st.lists(PIECES).map("".join))
def test_both_parsers_read_alike_what_both_accept(text):
    """Values, problems and lines do not depend on how PyYAML was built, but for the line of an empty key after `?`."""
    fast, exact = read_by(yaml.CSafeLoader, text), read_by(yaml.SafeLoader, text)
    if fast is not None and exact is not None:
        assert exact[0] == fast[0]
        assert "?" in text or exact[1] == fast[1]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="needs PyYAML with libyaml")
def test_the_fast_parser_comes_first():
    """Where there is one; tabs between words, which YAML allows, are read by that one alone."""
    assert {"a": "b"} == dict(read_documents("a.yaml", "a:\tb\n").documents[0].value)
    assert read_by(yaml.SafeLoader, "a:\tb\n") is None


@given(st.lists(PIECES).map("".join))
def test_what_the_fast_parser_refuses_is_told_as_the_exact_one_tells_it(text):
    """Its words and places are the ones that people read."""
    if read_by(policy_text._FASTEST, text) is None:
        exact = policy_text._read_exactly("a.yaml", text, first_line=1)
        assert repr(exact) == repr(read_documents("a.yaml", text))


@given(st.text(alphabet=st.characters(codec="utf-8")) | st.text(alphabet="ab:-[]{}&*!?#|>'\"\\%@~<, \n\t0.1U"))
def test_any_text_is_read_or_told(text):
    """No text makes reading raise, and every problem is one line."""
    for file in ("a.yaml", "a.prompt"):
        for given_text in (text, f"---\n{text}\n---\nx"):
            for problem in read_documents(file, given_text).problems:
                assert 1 == len(str(problem).splitlines())


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("é", "é"), ("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("x" * 100, "x" * 77 + "...")],
)
def test_messages_stay_on_one_line(text, shown):
    """What a file holds cannot break a message or paint a terminal."""
    assert shown == one_line(text)


@pytest.mark.parametrize("text", ["1", "1e3", "0o7", "null", "~", "", "true"])
def test_what_is_no_text_without_quotes_is_known(text):
    """A number, a truth or nothing."""
    assert not stays_text(text)
    (document,) = read_documents("a.yaml", f"a: {text}\n").documents
    assert not isinstance(document.value["a"], str)


@pytest.mark.parametrize("text", ["no", "2027-03-31", "1.0.0", "a"])
def test_what_stays_text_without_quotes_is_known(text):
    """Whatever other readers make of it."""
    assert stays_text(text)
    (document,) = read_documents("a.yaml", f"a: {text}\n").documents
    assert text == document.value["a"]
