"""What every implementation of the port `Upstream` must do with connections: keep, share, give up, retire, close."""

import asyncio
import errno
import os
import random

import pytest

from gateway.core.provider import Provider, Timeouts
from tests.adapters.exhaustion import no_descriptors
from tests.adapters.upstream_peer import (
    CHUNKED,
    HEAD_LENGTH,
    PATIENCE,
    SHORT,
    Line,
    Listener,
    answers,
    call,
    connections,
    is_silent,
    peer_of,
    request_to,
    says,
    wait_for,
)


class UpstreamConnectionContract:
    """The tests. The fixtures are those of `UpstreamContract`."""

    async def test_connections_are_kept(self, upstream):
        """Calls one after another use one connection."""
        async with peer_of(answers) as peer:
            for _ in range(5):
                assert b"{}" == (await call(upstream, peer.url)).body
        assert 1 == len(peer.lines)
        assert 5 == len(peer.requests)

    async def test_connection_close_is_heeded(self, upstream):
        """A connection that the provider says it closes is not used again."""
        data = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
        async with peer_of(says(data)) as peer:
            for _ in range(3):
                assert ["head", "data", "end"] == (await call(upstream, peer.url)).kinds
        assert 3 == len(peer.lines)

    @pytest.mark.parametrize("ending", ["close", "reset"])
    async def test_a_stale_connection_is_replaced_once(self, upstream, ending):
        """A kept connection that dies without a byte of an answer: the request is sent again on a fresh one."""

        async def script(line: Line) -> None:
            await line.request()
            if line.number != 1:
                await line.say(SHORT)
                await line.request()
            if ending == "reset":
                line.reset()

        async def good_later(line: Line) -> None:
            await (answers(line) if line.number else script(line))

        async with peer_of(good_later) as peer:
            assert b"{}" == (await call(upstream, peer.url)).body
            assert b"{}" == (await call(upstream, peer.url, body=b"again")).body
            assert [b"{}", b"again", b"again"] == [seen.body for seen in peer.requests]
        async with peer_of(script) as peer:
            assert b"{}" == (await call(upstream, peer.url)).body
            assert [("failed", "protocol")] == (await call(upstream, peer.url, body=b"again")).heard
            assert [b"{}", b"again", b"again"] == [seen.body for seen in peer.requests]

    async def test_a_kept_connection_that_began_to_answer_is_not_retried(self, upstream):
        """One byte of an answer is enough: the provider has worked, so a second sending could charge twice."""

        async def script(line: Line) -> None:
            await line.request()
            await line.say(SHORT)
            await line.request()
            await line.say(b"H")

        async with peer_of(script) as peer:
            await call(upstream, peer.url)
            assert [("failed", "protocol")] == (await call(upstream, peer.url)).heard
        assert 2 == len(peer.requests)

    async def test_a_fresh_connection_is_not_retried(self, upstream):
        """A provider that hangs up on a new connection has refused the request."""
        async with peer_of(says(b"")) as peer:
            assert [("failed", "protocol")] == (await call(upstream, peer.url)).heard
        assert 1 == len(peer.requests)

    async def test_a_kept_connection_that_was_closed_while_idle_is_not_used(self, upstream):
        """The provider closed in between: the next call connects anew and nothing is sent twice."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            await line.say(SHORT)
            line.writer.close()
            await line.writer.wait_closed()
            closed.set()

        async with peer_of(script) as peer:
            await call(upstream, peer.url)
            await closed.wait()
            assert b"{}" == (await call(upstream, peer.url)).body
        assert 2 == len(peer.requests)

    async def test_no_free_connection_is_a_pool_fault(self, upstream):
        """With every connection taken the call fails soon, and works again once one is free."""
        async with peer_of(is_silent) as peer:
            waiting = Listener()
            holder = upstream.send(request_to(peer.url, max_connections=1), waiting)
            await wait_for(lambda: len(peer.requests) == 1)
            listener = await call(upstream, peer.url, max_connections=1)
            assert [("failed", "pool")] == listener.heard
            assert "acme" in listener.fault.message
            holder.cancel()
            peer.script = answers
            assert b"{}" == (await call(upstream, peer.url, max_connections=1)).body
        assert [] == waiting.heard

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_a_process_without_descriptors_blames_itself(self, upstream, host):
        """Neither a connection nor a look-up of a name can be had: no fault of the provider, and soon over."""
        async with peer_of(answers) as peer:
            url = peer.url.replace("127.0.0.1", host)
            with no_descriptors():
                listener = await call(upstream, url)
            assert [("failed", "local")] == listener.heard
            assert os.strerror(errno.EMFILE) in listener.fault.message
            assert b"{}" == (await call(upstream, url)).body

    async def test_cancel_before_the_head_closes_the_connection(self, upstream):
        """A call given up while the provider thinks: its connection closes, the listener hears nothing."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await is_silent(line)
            closed.set()

        async with peer_of(script) as peer:
            listener = Listener()
            call = upstream.send(request_to(peer.url), listener)
            await wait_for(lambda: len(peer.requests) == 1)
            call.cancel()
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert [] == listener.heard

    @pytest.mark.parametrize("paused", [False, True])
    async def test_cancel_within_the_body_closes_the_connection(self, upstream, paused):
        """A call given up in mid-stream, paused or not: its connection closes, the listener hears nothing more."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED[: HEAD_LENGTH + 8])
            await line.gone()
            closed.set()

        async with peer_of(script) as peer:
            listener = Listener()
            call = upstream.send(request_to(peer.url), listener)
            await listener.until(lambda: b"one" == listener.body)
            if paused:
                call.pause()
            call.cancel()
            call.cancel()
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert ["head", "data"] == listener.kinds

    @pytest.mark.parametrize("moment", ["head", "data"])
    async def test_cancel_from_within_the_listener(self, upstream, moment):
        """A listener may give the call up while it hears of it; that is the last it hears."""

        class GivesUp(Listener):
            def _note(self, what: str, value: object) -> None:
                super()._note(what, value)
                if what == moment:
                    call.cancel()

        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED[:-5])
            await line.gone()
            closed.set()

        async with peer_of(script) as peer:
            listener = GivesUp()
            call = upstream.send(request_to(peer.url), listener)
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert moment == listener.kinds[-1]

    async def test_cancel_at_once_and_after_the_end(self, upstream):
        """A call may be given up before it ran, and giving up one that is over changes nothing."""
        async with peer_of(answers) as peer:
            unheard = Listener()
            upstream.send(request_to(peer.url), unheard).cancel()
            listener = Listener()
            under_way = upstream.send(request_to(peer.url), listener)
            await listener.over()
            under_way.cancel()
            under_way.pause()
            under_way.resume()
            assert b"{}" == (await call(upstream, peer.url)).body
        assert [] == unheard.heard
        assert ["head", "data", "end"] == listener.kinds

    @pytest.mark.untraced
    async def test_ten_thousand_cancelled_calls_leave_the_pool_whole(self, upstream):
        """Calls given up at random moments, far more at a time than connections: none takes its place with it."""
        chance = random.Random(7)

        async def script(line: Line) -> None:
            while True:
                await line.request()
                await asyncio.sleep(chance.random() * 0.003)
                await line.say(CHUNKED[:-5])
                await asyncio.sleep(chance.random() * 0.003)
                await line.say(CHUNKED[-5:])

        async def give_up(url: str) -> None:
            listener = Listener()
            under_way = upstream.send(request_to(url, max_connections=10), listener)
            await asyncio.sleep(chance.random() * 0.02)
            under_way.cancel()

        async with peer_of(script) as peer:
            for _ in range(100):
                await asyncio.gather(*(give_up(peer.url) for _ in range(100)))
            await wait_for(lambda: len(set(connections(upstream))) == 1)
            peer.script = answers
            for _ in range(20):
                assert "end" == (await call(upstream, peer.url, max_connections=10)).kinds[-1]

    async def test_a_listener_that_raises_does_not_keep_the_connection(self, upstream):
        """A fault in the listener is reported by the loop, and its call's place is free again."""

        class Broken(Listener):
            def upstream_end(self) -> None:
                raise LookupError("a fault of the listener")

        reported = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with peer_of(answers) as peer:
            upstream.send(request_to(peer.url, max_connections=1), Broken())
            await wait_for(lambda: reported)
            assert b"{}" == (await call(upstream, peer.url, max_connections=1)).body
        assert ["a fault of the listener"] == [str(error) for error in reported]

    async def test_calls_share_connections_only_when_they_reach_the_provider_in_the_same_way(self, upstream):
        """Another name, limit or authority has connections of its own; another timeout has not."""
        async with peer_of(answers) as peer:
            await call(upstream, peer.url)
            await call(upstream, peer.url, timeouts=Timeouts(connect=1.0, idle=1.0))
            assert 1 == len(peer.lines)
            await call(upstream, peer.url, max_connections=7)
            assert 2 == len(peer.lines)
            await wait_for(lambda: connections(upstream) == (2, 2))

    async def test_retired_connections_close(self, upstream):
        """What is no longer in use closes at once when idle, and when its last call ends otherwise."""
        gone = []
        answer_now = asyncio.Event()

        async def script(line: Line) -> None:
            while (await line.request()).body != b"slow":
                await line.say(SHORT)
            await answer_now.wait()
            await line.say(SHORT)
            await line.gone()
            gone.append(line.number)

        async with peer_of(script) as peer:
            kept, old = request_to(peer.url), request_to(peer.url, body=b"slow", max_connections=5)
            idle = request_to(peer.url, max_connections=6)
            for request in (kept, idle):
                listener = Listener()
                upstream.send(request, listener)
                await listener.over()
            slow = Listener()
            upstream.send(old, slow)
            await wait_for(lambda: len(peer.requests) == 3)
            upstream.retire([kept.provider])
            await wait_for(lambda: connections(upstream) == (2, 1))
            answer_now.set()
            await slow.over()
            await wait_for(lambda: gone == [2])
            await wait_for(lambda: connections(upstream) == (1, 1))
            assert b"{}" == slow.body
            assert b"{}" == (await call(upstream, peer.url)).body
            assert 3 == len(peer.lines)

    async def test_a_retired_provider_may_still_be_called(self, upstream):
        """A request under an old snapshot may come late: it is served, and nothing stays open after it."""
        async with peer_of(answers) as peer:
            upstream.retire([Provider("another", "openai", "http://localhost:1/v1")])
            assert b"{}" == (await call(upstream, peer.url)).body
            await wait_for(lambda: connections(upstream) == (0, 0))

    async def test_aclose_gives_up_every_call(self, upstream, certificate):
        """Closing cancels what is under way, and waits until every connection is closed."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await is_silent(line)
            closed.set()

        async with peer_of(script) as peer, peer_of(answers, ssl=certificate.server_context()) as other:
            listener = Listener()
            upstream.send(request_to(peer.url), listener)
            await call(upstream, other.url, ca_file=str(certificate.authority))
            await wait_for(lambda: len(peer.requests) == 1)
            await upstream.aclose()
            assert (0, 0) == connections(upstream)
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert [] == listener.heard
