"""A release names itself."""

from tests.proxy.playbook import prompt, release


def test_its_headers_name_it():
    """Route, release and model; the prompt where there is one."""
    assert (
        (b"x-pinion-route", b"desk"),
        (b"x-pinion-release", b"desk/1.0.0"),
        (b"x-pinion-model", b"atlas@1.0.0"),
    ) == release("1.0.0").headers
    assert (b"x-pinion-prompt", b"support@1.1.0") == release("1.0.0", prompt=prompt("1.1.0")).headers[-1]


def test_it_is_written_with_its_route():
    """As in the response header."""
    assert "desk/1.0.0" == str(release("1.0.0"))


def test_it_knows_whether_its_answers_have_a_schema():
    """Only a prompt can declare one, and an empty one counts."""
    prompts = [None, prompt(), prompt(output_schema={})]
    assert [False, False, True] == [release("1.0.0", prompt=one).has_output_schema for one in prompts]


def test_equal_releases_are_equal():
    """What is prepared from a release does not matter to that."""
    assert release("1.0.0") == release("1.0.0")
    assert release("1.0.0") != release("1.0.0", params={"seed": 7})
