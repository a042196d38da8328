"""A request's head."""

from gateway.core.head import Head


def test_its_size_is_that_of_its_lines():
    """Target and fields, each with its colon, space and line end; or what its edge has counted."""
    assert 0 == Head("GET", "", b"", []).size()
    head = Head("POST", "/v1/x", b"a=1", [(b"host", b"h"), (b"x", b"")])
    assert len("/v1/x") + len("a=1") + len("host: h\r\n") + len("x: \r\n") == head.size()
    assert 7 == Head("POST", "/v1/x", b"a=1", [], counted=7).size()


def test_its_headers_are_not_shown():
    """They hold keys."""
    assert "sk-1" not in repr(Head("POST", "/", b"", [(b"x-api-key", b"sk-1")]))
