"""Credentials from the environment and from files."""

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.secret_sources import MAX_SECRET_BYTES, SecretSources
from gateway.core.errors import SetupFault

PRINTABLE = st.text(alphabet=string.ascii_letters + string.digits + string.punctuation + " ", min_size=1)


@given(value=PRINTABLE)
def test_the_environment_is_read_as_it_stands(value: str):
    """What is in the variable is the credential."""
    assert value == SecretSources({"KEY": value}).read("env:KEY")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_ends_with_at_most_one_newline_that_is_not_part_of_it(tmp_path, ending):
    """Editors end files with a newline; the credential is what stands before it."""
    path = tmp_path / "key"
    path.write_bytes(b"s3cret" + ending.encode())
    assert "s3cret" == SecretSources({}).read(f"file:{path}")


def test_a_rotated_file_is_read_anew(tmp_path):
    """Nothing is kept between two readings."""
    path = tmp_path / "key"
    secrets = SecretSources({})
    path.write_text("old")
    assert "old" == secrets.read(f"file:{path}")
    path.write_text("new")
    assert "new" == secrets.read(f"file:{path}")


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_of_the_greatest_length_is_read(tmp_path, ending):
    """64 KiB are allowed, whatever newline follows."""
    path = tmp_path / "key"
    path.write_bytes(b"k" * MAX_SECRET_BYTES + ending.encode())
    assert "k" * MAX_SECRET_BYTES == SecretSources({}).read(f"file:{path}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"s3cret\n\n",
        b"s3cret\x00",
        b"s3cret\x1b[31m",
        b"two\nlines",
        b"s3cret\xff",
        b"s3cret\xc2\x85",
        b"s3cret" * MAX_SECRET_BYTES,
        b"s3cret".ljust(MAX_SECRET_BYTES + 1, b"k"),
    ],
)
def test_a_file_that_holds_no_credential_is_refused_without_its_content(tmp_path, content):
    """Empty, too long, control characters, not text: refused by name, the content kept out of the message."""
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SetupFault) as caught:
        SecretSources({}).read(f"file:{path}")
    assert str(path) in caught.value.message
    assert "s3cret" not in caught.value.message
    assert 1 == len(caught.value.message.splitlines())


@pytest.mark.parametrize("value", ["", "s3cret\n", "s3cret\udcff", "\x7fs3cret", "s3cret" * MAX_SECRET_BYTES])
def test_a_variable_that_holds_no_credential_is_refused_without_its_value(value):
    """The environment is held to the same rules."""
    with pytest.raises(SetupFault, match="env:KEY") as caught:
        SecretSources({"KEY": value}).read("env:KEY")
    assert "s3cret" not in caught.value.message


def test_a_missing_variable_is_named():
    """The message says which variable to set."""
    with pytest.raises(SetupFault, match=r"env:OPENAI_API_KEY: the environment variable is not set"):
        SecretSources({}).read("env:OPENAI_API_KEY")


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    """A missing file, a folder and a file without leave say what is wrong."""
    with pytest.raises(SetupFault, match=r"nowhere: No such file or directory"):
        SecretSources({}).read(f"file:{tmp_path}/nowhere")
    with pytest.raises(SetupFault, match=r"directory"):
        SecretSources({}).read(f"file:{tmp_path}")
    with pytest.raises(SetupFault, match=r"not a path"):
        SecretSources({}).read("file:with\0nul")


def test_a_pipe_is_refused_at_once(tmp_path):
    """Reading a pipe could wait for ever, so it is not read."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(SetupFault, match="not a regular file"):
        SecretSources({}).read(f"file:{path}")


@pytest.mark.parametrize("source", ["", "env", "env:", "file:", "vault:secret/key", "sk-literal"])
def test_anything_else_is_not_a_source(source):
    """Only the two kinds are read; of a literal credential in the source's place nothing is shown."""
    with pytest.raises(SetupFault, match="write env:NAME or file:PATH") as caught:
        SecretSources({"": "x"}).read(source)
    assert "sk-literal" not in caught.value.message
