"""What every implementation of the port `Upstream` must tell of an answer, whole, broken, slow or never come."""

import asyncio
import gzip
import socket

import pytest

from gateway.core.provider import Timeouts
from tests.adapters.upstream_peer import CHUNKED, HEAD_LENGTH, Line, Listener, answers, call, peer_of, request_to, says


class UpstreamAnswerContract:
    """The tests. The fixtures are those of `UpstreamContract`."""

    async def test_head_then_data_then_end(self, upstream):
        """The head comes once and first with lower-case names, the body in order, the end last."""
        async with peer_of(says(CHUNKED)) as peer:
            listener = await call(upstream, peer.url)
        assert ("head", 200) == listener.heard[0]
        assert ("end", None) == listener.heard[-1]
        assert {"data"} == set(listener.kinds[1:-1])
        assert b"onethree" == listener.body
        assert (b"content-type", b"text/event-stream") in listener.headers

    async def test_the_request_arrives_as_given(self, upstream):
        """POST with the target's path and query, the given headers, host, content-length and the body unchanged."""
        body = bytes(range(256)) * 500
        async with peer_of(answers) as peer:
            await call(upstream, peer.url, body=body)
        (seen,) = peer.requests
        assert b"POST /v1/chat?x=1 HTTP/1.1" == seen.line
        assert body == seen.body
        assert f"localhost:{peer.port}".encode() == seen.header(b"host")
        assert b"Bearer sk-secret" == seen.header(b"authorization")
        names = [b"authorization", b"content-length", b"content-type", b"host"]
        assert names == sorted(name.lower() for name, _ in seen.headers)

    async def test_nothing_is_heard_before_send_returns(self, upstream):
        """Also a failure that is known at once is told later."""
        listener = Listener()
        upstream.send(request_to("http://localhost:1/v1"), listener)
        assert [] == listener.heard
        await listener.over()

    async def test_a_call_may_begin_in_a_callback(self, upstream):
        """The exchange is driven by callbacks, where no task is running."""
        listener = Listener()
        async with peer_of(answers) as peer:
            asyncio.get_running_loop().call_soon(upstream.send, request_to(peer.url), listener)
            await listener.over()
        assert b"{}" == listener.body

    async def test_an_empty_body_has_a_head_and_an_end(self, upstream):
        """An answer without a body has no data at all."""
        async with peer_of(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as peer:
            listener = await call(upstream, peer.url)
        assert [("head", 204), ("end", None)] == listener.heard

    async def test_a_body_may_end_with_the_connection(self, upstream):
        """Without a length or chunks, the close is the proper end."""
        async with peer_of(says(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as peer:
            listener = await call(upstream, peer.url)
        assert b"all of it" == listener.body
        assert "end" == listener.kinds[-1]

    async def test_informational_heads_are_passed_over(self, upstream):
        """100 and 103 are not the answer."""
        early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        async with peer_of(says(early + CHUNKED)) as peer:
            listener = await call(upstream, peer.url)
        assert ("head", 200) == listener.heard[0]
        assert b"onethree" == listener.body

    async def test_redirects_are_answers(self, upstream):
        """A redirect is passed on, never followed."""
        data = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        async with peer_of(says(data)) as peer:
            listener = await call(upstream, peer.url)
        assert [("head", 307), ("end", None)] == listener.heard
        assert 1 == len(peer.requests)

    async def test_cookies_are_not_kept(self, upstream):
        """What one answer sets is not sent with the next request."""

        async def script(line: Line) -> None:
            while True:
                await line.request()
                await line.say(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

        async with peer_of(script) as peer:
            await call(upstream, peer.url)
            await call(upstream, peer.url)
        assert [None, None] == [seen.header(b"cookie") for seen in peer.requests]

    async def test_compressed_bodies_stay_compressed(self, upstream):
        """The bytes are those of the wire."""
        packed = gzip.compress(b"hello")
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        async with peer_of(says(head + packed)) as peer:
            assert packed == (await call(upstream, peer.url)).body

    @pytest.mark.parametrize("ending", ["close", "reset"])
    async def test_every_cut_of_a_chunked_answer_is_told(self, upstream, ending):
        """Cut after any byte: one failure comes last, `protocol` before the head is whole and `cut` after it."""

        async def script(line: Line) -> None:
            length = int((await line.request()).body)
            await line.say(CHUNKED[:length])
            if ending == "reset":
                line.reset()

        async with peer_of(script) as peer:
            for length in range(len(CHUNKED)):
                listener = await call(upstream, peer.url, body=b"%d" % length)
                assert "end" not in listener.kinds
                assert 1 == listener.kinds.count("failed")
                if length < HEAD_LENGTH:
                    assert [("failed", "protocol")] == listener.heard
                elif ending == "close":
                    assert ("head", 200) == listener.heard[0]
                    assert ("failed", "cut") == listener.heard[-1]
                assert b"onethree".startswith(listener.body)
        assert len(CHUNKED) == len(peer.requests)

    async def test_a_body_shorter_than_its_length_is_cut(self, upstream):
        """An answer that ends before its Content-Length has failed."""
        async with peer_of(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as peer:
            listener = await call(upstream, peer.url)
        assert b"half" == listener.body
        assert ("failed", "cut") == listener.heard[-1]

    @pytest.mark.parametrize(
        "data",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"HTTP/1.1 two hundred\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"\x16\x03\x01\x00\x02\x02\x46\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000,
        ],
    )
    async def test_what_is_not_http_is_a_protocol_fault(self, upstream, data):
        """Other protocols, broken heads and endless ones are told from an answer."""
        async with peer_of(says(data)) as peer:
            assert [("failed", "protocol")] == (await call(upstream, peer.url)).heard

    async def test_broken_chunks_are_a_cut(self, upstream):
        """A chunk without a readable length ends the answer."""
        async with peer_of(says(CHUNKED[:HEAD_LENGTH] + b"nonsense\r\n")) as peer:
            assert [("head", 200), ("failed", "cut")] == (await call(upstream, peer.url)).heard

    async def test_refused(self, upstream):
        """A port where nobody listens is a connect fault that names the provider and not the credential."""
        with socket.socket() as unused:
            unused.bind(("localhost", 0))
            listener = await call(upstream, f"http://localhost:{unused.getsockname()[1]}/v1")
        assert [("failed", "connect")] == listener.heard
        assert "acme" in listener.fault.message
        assert "secret" not in listener.fault.message

    async def test_a_black_hole_is_given_up(self, upstream):
        """A host that answers no connection attempt is a connect fault after the provider's connect timeout."""
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
            listener = await call(upstream, url, timeouts=Timeouts(connect=0.2))
        assert [("failed", "connect")] == listener.heard

    async def test_an_unknown_name_is_a_connect_fault(self, upstream):
        """A host name that does not resolve, or is none, cannot be reached."""
        for host in ("nowhere.invalid", "a..b", "x" * 70 + ".invalid"):
            assert [("failed", "connect")] == (await call(upstream, f"http://{host}/v1")).heard

    async def test_an_unsendable_header_is_told_without_its_value(self, upstream):
        """A header with a line break is refused before anything is sent, and its value is in no message."""
        async with peer_of(answers) as peer:
            request = request_to(peer.url)
            request.headers.append((b"x-api-key", b"sk-secret\r\nx: y"))
            listener = Listener()
            upstream.send(request, listener)
            await listener.over()
            assert [("failed", "protocol")] == listener.heard
            assert "secret" not in listener.fault.message
            assert b"{}" == (await call(upstream, peer.url)).body
        assert 1 == len(peer.requests)

    async def test_a_paused_call_stalls_the_provider(self, upstream):
        """While paused nothing is read, so the provider's sending blocks; after resume all of it arrives."""
        total, sent = 64, 0
        piece = b"x" * 262_144

        async def script(line: Line) -> None:
            nonlocal sent
            await line.request()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (total * len(piece)))
            for sent in range(1, total + 1):  # noqa: B007  the test reads how far it came
                await line.say(piece)

        async with peer_of(script) as peer:
            listener = Listener()
            call = upstream.send(request_to(peer.url), listener)
            call.pause()
            await listener.until(lambda: "head" in listener.kinds)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < total
            heard = len(listener.heard)
            assert heard <= 2
            call.resume()
            call.pause()
            call.resume()
            await listener.over()
        assert total * len(piece) == len(listener.body)
        assert "end" == listener.kinds[-1]

    async def test_certificates_come_from_the_ca_file(self, upstream, certificate):
        """With the authority that signed it a provider is trusted; with the system's alone it is not."""
        async with peer_of(answers, ssl=certificate.server_context()) as peer:
            distrusted = await call(upstream, peer.url)
            trusted = await call(upstream, peer.url, ca_file=str(certificate.authority))
        assert [("failed", "connect")] == distrusted.heard
        assert "certificate" in distrusted.fault.message
        assert b"{}" == trusted.body

    async def test_a_ca_file_that_cannot_be_read_is_a_connect_fault(self, upstream, tmp_path):
        """A missing file and one without certificates are told as faults, again at every call."""
        empty = tmp_path / "empty.pem"
        empty.write_text("nothing")
        for ca_file in (str(tmp_path / "missing.pem"), str(empty), str(empty)):
            listener = await call(upstream, "https://localhost:1/v1", ca_file=ca_file)
            assert [("failed", "connect")] == listener.heard
            assert ca_file in listener.fault.message

    async def test_the_provider_may_hang_up_during_the_handshake(self, upstream, certificate):
        """A connection that ends before TLS stands is a connect fault."""

        async def script(line: Line) -> None:
            await line.reader.read(1)

        async with peer_of(script) as peer:
            url = peer.url.replace("http:", "https:")
            listener = await call(upstream, url, ca_file=str(certificate.authority))
        assert [("failed", "connect")] == listener.heard

    async def test_a_target_that_is_no_url_is_a_connect_fault(self, upstream):
        """Schemes that are not HTTP's cannot be called."""
        for url in ("gopher://localhost", "localhost/v1", "http://localhost:port"):
            assert [("failed", "connect")] == (await call(upstream, url)).heard

    async def test_an_early_answer_to_a_long_request_is_heard(self, upstream):
        """A provider may refuse before it has read everything; its answer is passed on."""

        async def script(line: Line) -> None:
            await line.reader.readuntil(b"\r\n\r\n")
            await line.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\n{}")
            await line.gone()

        async with peer_of(script) as peer:
            listener = await call(upstream, peer.url, body=b"x" * 20_000_000)
        assert [("head", 413), ("data", b"{}"), ("end", None)] == listener.heard

    async def test_the_environment_is_not_read(self, upstream, monkeypatch, certificate):
        """Proxies and certificates named in environment variables change nothing."""
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, "http://localhost:1")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
        async with peer_of(answers) as plain, peer_of(answers, ssl=certificate.server_context()) as secure:
            assert b"{}" == (await call(upstream, plain.url)).body
            assert [("failed", "connect")] == (await call(upstream, secure.url)).heard
