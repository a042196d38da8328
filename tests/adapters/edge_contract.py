"""What every edge does between a client's socket and an exchange, whatever it is built on.

A subclass gives the `edge` fixture: an `EdgeServer` around a `Stage`.
"""

import http.client

import pytest

from gateway.core.errors import ClientFault
from tests.adapters.edge_server import CHUNKED, request, wait_for
from tests.adapters.edge_stage import GOVERNED, MAX_BODY, echo, flood, nothing


class EdgeContract:
    """The contract. A subclass has the fixture `edge`."""

    def test_a_body_arrives_whole(self, edge):
        """However it was cut on its way."""
        sent = request(b"0123456789" * 100)

        assert (200, b"0123456789" * 100) == edge.ask(*(sent[n : n + 97] for n in range(0, len(sent), 97)))
        assert ["body"] == edge.exchange.events
        wait_for(lambda: edge.stage.closed == [edge.exchange])

    def test_a_chunked_body_arrives_whole(self, edge):
        """Its chunks put together, its trailers left out."""
        assert (200, b"onetwo") == edge.ask(CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\nx-trailer: 1\r\n\r\n")

    def test_an_empty_body_is_a_body(self, edge):
        """The exchange decides what to make of it."""
        assert (200, b"") == edge.ask(request(b""))
        assert b"" == edge.exchange.whole

    def test_the_head_is_passed_as_it_came(self, edge):
        """Method, raw path, query and headers, their names in lower case and their values untouched."""
        edge.ask(request(b"{}", "X-Pinion-Unit: Zo\u00eb", path=f"{GOVERNED}?a=%20b"))
        head = edge.exchange.head

        assert ("POST", GOVERNED, b"a=%20b") == (head.method, head.path, head.query)
        assert (b"x-pinion-unit", "Zo\u00eb".encode()) in head.headers

    @pytest.mark.parametrize(
        "path", ["/", f"{GOVERNED}/", "/v1/chat%2Fcompletions", "/v1/Chat/completions", f"/{GOVERNED}", f"{GOVERNED};x"]
    )
    def test_another_path_goes_to_the_others(self, edge, path):
        """Nothing is decoded, folded or trimmed to make a governed path of it."""
        assert (404, path.encode()) == edge.ask(request(path=path))
        assert [] == edge.stage.opened

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
    def test_every_method_on_a_governed_path_is_the_exchanges(self, edge, method):
        """It refuses by the head alone; HEAD gets no body."""
        edge.stage.refusal = ClientFault("not this method")
        with edge.connection() as client:
            client.send(request(b"", method=method))
            assert (400, b"" if method == "HEAD" else b"not this method") == client.answer(method)
        assert method == edge.exchange.head.method

    def test_a_refused_head_needs_no_body(self, edge):
        """The answer comes before the body does, and the exchange is not shown it."""
        edge.stage.refusal = ClientFault("who are you")
        assert (400, b"who are you") == edge.ask(request(b"", length=500))
        assert ["refused"] == edge.exchange.events

    def test_a_body_over_the_limit_is_refused_while_it_is_sent(self, edge):
        """Whatever length it declares, or none."""
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

        status, message = edge.ask(CHUNKED, *[chunk] * 20)
        assert (413, b"the request body is over 1000000 bytes; send a smaller one") == (status, message)
        assert ["refused"] == edge.exchange.events

    def test_a_body_of_just_the_limit_is_taken(self, edge):
        """The limit is the largest that is allowed."""
        assert MAX_BODY == len(edge.ask(request(b"x" * MAX_BODY))[1])

    def test_a_client_that_leaves_amid_its_body_is_gone(self, edge):
        """Nothing of the body is shown to the exchange, which is closed."""
        with edge.connection() as client:
            client.send(request(b"half", length=100))
            wait_for(lambda: edge.stage.opened)
        edge.heard("gone")
        assert edge.exchange.whole is None
        wait_for(lambda: edge.stage.closed)

    def test_a_client_that_leaves_before_the_answer_is_gone(self, edge):
        """The exchange hears of it at once, so that it can cancel its call."""
        edge.stage.script = nothing
        with edge.connection() as client:
            client.send(request())
            edge.heard("body")
        assert ["body", "gone"] == edge.heard("gone").events
        wait_for(lambda: edge.stage.closed)

    def test_a_client_that_leaves_amid_its_answer_is_gone(self, edge):
        """As soon as the connection is."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"begun"))
        with edge.connection() as client:
            client.send(request())
            assert b"begun" == client.head().read1()
        edge.heard("gone")
        wait_for(lambda: edge.stage.closed)

    def test_pieces_of_an_answer_are_sent_as_they_are_written(self, edge):
        """None waits for the next, and the end is a proper one."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"one"))
        with edge.connection() as client:
            client.send(request())
            answer = client.head()
            assert b"one" == answer.read1()
            edge.call(edge.exchange.downstream.write, b"two")
            assert b"two" == answer.read1()
            edge.call(edge.exchange.downstream.finish)
            assert b"" == answer.read()

    def test_a_cut_answer_has_no_end(self, edge):
        """What was written before arrives; nobody can take it for the whole."""
        edge.stage.script = lambda exchange: (
            exchange.begin(),
            exchange.downstream.write(b"begun"),
            exchange.downstream.abort(),
        )
        with edge.connection() as client:
            client.send(request())
            answer = client.head()
            assert b"begun" == answer.read1()
            with pytest.raises(http.client.IncompleteRead):
                answer.read()

    def test_a_large_answer_arrives_whole(self, edge):
        """Written at once, and many times what the buffers hold."""
        body = bytes(range(256)) * 40_000
        edge.stage.script = lambda exchange: exchange.answer(200, body)

        assert (200, body) == edge.ask(request())

    def test_a_slow_reader_holds_the_exchange_up(self, edge):
        """It is told to pause when a little piles up, and to resume once that is read; every byte arrives in order."""
        pieces = [b"%07d " % n for n in range(1 << 19)]  # 4 MiB
        sent = []

        def pump() -> None:
            """Write for as long as the exchange is not paused."""
            events = edge.exchange.events
            while len(sent) < len(pieces) and events.count("pause") == events.count("resume"):
                piece = b"".join(pieces[len(sent) : len(sent) + 512])
                sent.extend(pieces[len(sent) : len(sent) + 512])
                edge.exchange.downstream.write(piece)
            if len(sent) == len(pieces):
                edge.exchange.downstream.finish()
            else:
                edge._loop.call_later(0.001, pump)

        edge.stage.script = lambda exchange: (exchange.begin(), edge._loop.call_soon(pump))
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            edge.heard("pause")
            assert len(sent) < len(pieces)
            assert b"".join(pieces) == client.head().read()
        assert "resume" in edge.exchange.events

    def test_a_client_that_does_not_read_is_let_go_by_a_cut(self, edge):
        """The exchange is closed though the client takes nothing more."""
        edge.stage.script = flood
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            edge.heard("pause")
            edge.call(edge.exchange.downstream.abort)
            wait_for(lambda: edge.stage.closed)

    def test_a_client_that_leaves_without_reading_is_gone(self, edge):
        """What is queued for it goes with it."""
        edge.stage.script = flood
        with edge.connection(receive_buffer=4096) as client:
            client.send(request())
            edge.heard("pause")
        edge.heard("gone")
        wait_for(lambda: edge.stage.closed)

    def test_a_client_that_asks_first_is_told_to_go_on(self, edge):
        """With Expect: 100-continue the body comes after the leave."""
        with edge.connection() as client:
            client.send(request(b"", "Expect: 100-continue", length=2))
            assert (b"HTTP/1.1 100 Continue\r\n", b"\r\n") == (client.line(), client.line())
            client.send(b"{}")
            assert (200, b"{}") == client.answer()

    def test_a_client_that_asks_first_may_be_refused(self, edge):
        """Then it need not send the body at all."""
        edge.stage.refusal = ClientFault("too much")
        with edge.connection() as client:
            client.send(request(b"", "Expect: 100-continue", length=2))
            assert b"HTTP/1.1 400 Bad Request\r\n" == client.line()

    def test_a_connection_is_used_again(self, edge):
        """One request after the other, each with an exchange of its own."""
        with edge.connection() as client:
            for body in (b"one", b"two"):
                client.send(request(body))
                assert (200, body) == client.answer()
        assert [["body"], ["body"]] == [exchange.events for exchange in edge.stage.opened]

    def test_requests_sent_at_once_are_answered_in_order(self, edge):
        """Pipelined, none is lost and none overtakes another."""
        with edge.connection() as client:
            client.send(b"".join(request(b"%d" % n) for n in range(5)))
            assert [(200, b"%d" % n) for n in range(5)] == [client.answer() for _ in range(5)]

    def test_requests_of_both_kinds_sent_at_once_are_answered_in_order(self, edge):
        """Governed or not, each is answered in its turn."""
        with edge.connection() as client:
            client.send(b"".join(request(b"%d" % n, path=GOVERNED if n % 3 else f"/{n}") for n in range(12)))
            expected = [(200, b"%d" % n) if n % 3 else (404, b"/%d" % n) for n in range(12)]
            assert expected == [client.answer() for _ in range(12)]

    def test_a_request_behind_a_stream_waits(self, edge):
        """It is not begun before the stream has ended, and is answered then."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"one"))
        with edge.connection() as client:
            client.send(request() + request(b"two"))
            answer = client.head()
            assert b"one" == answer.read1()
            edge.settle()
            assert 1 == len(edge.stage.opened)
            edge.stage.script = echo
            edge.call(edge.exchange.downstream.finish)
            assert b"" == answer.read()
            assert (200, b"two") == client.answer()

    def test_a_client_that_asks_to_close_is_hung_up_on(self, edge):
        """After its answer, which says so."""
        with edge.connection() as client:
            client.send(request(b"{}", "Connection: close"))
            answer = client.head()
            assert ("close", b"{}") == (answer.getheader("connection"), answer.read())
            assert [] == client.answers()

    @pytest.mark.parametrize("fields", [[], [(b"content-length", b"3")]])
    def test_an_old_client_gets_its_answer_and_the_end_of_the_connection(self, edge, fields):
        """HTTP/1.0, whether the answer states its length or not."""
        edge.stage.script = lambda exchange: (
            exchange.begin(200, *fields),
            exchange.downstream.write(b"one"),
            exchange.downstream.finish(),
        )
        with edge.connection() as client:
            client.send(request().replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert [(200, b"one")] == client.answers()
        assert b"{}" == edge.exchange.whole

    def test_a_server_that_stops_lets_an_answer_end(self, edge):
        """Then it hangs up, and at once where nothing is under way."""
        edge.stage.script = lambda exchange: (exchange.begin(), exchange.downstream.write(b"one"))
        with edge.connection() as client, edge.connection() as idle:
            idle.send(request(path="/other"))
            assert 404 == idle.answer()[0]
            client.send(request())
            answer = client.head()
            assert b"one" == answer.read1()
            for connection in tuple(edge.server.server_state.connections):
                edge.call(connection.shutdown)
            assert [] == idle.answers()
            edge.call(edge.exchange.downstream.write, b"two")
            edge.call(edge.exchange.downstream.finish)
            assert b"two" == answer.read()
            assert [] == client.answers()

    def test_a_refused_head_with_a_whole_body_keeps_the_connection(self, edge):
        """The body is passed over, and the next request is taken."""
        edge.stage.refusal = ClientFault("who are you")
        with edge.connection() as client:
            for _ in range(2):
                client.send(request(b"body"))
                assert (400, b"who are you") == client.answer()
        assert [["refused"], ["refused"]] == [exchange.events for exchange in edge.stage.opened]

    def test_the_rest_of_a_refused_request_is_never_a_request(self, edge):
        """However much it looks like one."""
        edge.stage.refusal = ClientFault("who are you")
        marked = request(b"!", "X-Marker: 1")
        with edge.connection() as client:
            client.send(request(b"", length=len(marked)))
            assert 400 == client.answer()[0]
            client.send(marked, request(b"{}", "Connection: close"))
            client.answers()
        assert not [exchange for exchange in edge.stage.opened if (b"x-marker", b"1") in exchange.head.headers]

    def test_a_client_may_send_a_body_over_the_limit_to_its_end_before_it_reads(self, edge):
        """The refusal is there when it does."""
        with edge.connection() as client:
            client.send(request(b"x" * (2 * MAX_BODY)))
            assert (413, b"the request body is over 1000000 bytes; send a smaller one") == client.answer()
        assert ["refused"] == edge.exchange.events

    def test_an_answer_to_head_has_its_length_and_no_body(self, edge):
        """What is written of a body is not sent, and the connection is kept."""
        with edge.connection() as client:
            client.send(request(b"{}", method="HEAD") + request(b"next"))
            answer = client.head("HEAD")
            assert ("2", b"") == (answer.getheader("content-length"), answer.read())
            assert (200, b"next") == client.answer()

    @pytest.mark.parametrize("status", [204, 304])
    def test_an_answer_without_content_has_no_framing(self, edge, status):
        """Its head is all of it, and the connection is kept."""
        edge.stage.script = lambda exchange: (exchange.begin(status), exchange.downstream.finish())
        with edge.connection() as client:
            client.send(request())
            answer = client.head()
            assert (status, None, b"") == (answer.status, answer.getheader("transfer-encoding"), answer.read())
            edge.stage.script = echo
            client.send(request(b"next"))
            assert (200, b"next") == client.answer()

    @pytest.mark.parametrize(
        ("target", "query"),
        [
            (f"http://other{GOVERNED}", b""),
            (f"https://other:1{GOVERNED}?a=b", b"a=b"),
            (f"{GOVERNED}#fragment", b""),
            (f"{GOVERNED}?a=b#fragment", b"a=b"),
            (f"{GOVERNED}?a=?b", b"a=?b"),
        ],
    )
    def test_a_target_may_be_longer_than_its_path(self, edge, target, query):
        """An absolute one, and one with a fragment, which no client should send."""
        assert (200, b"{}") == edge.ask(request(path=target))
        assert (GOVERNED, query) == (edge.exchange.head.path, edge.exchange.head.query)

    @pytest.mark.parametrize("target", ["*", "http://other/x"])
    def test_a_target_without_a_governed_path_goes_to_the_others(self, edge, target):
        """Whatever its form."""
        assert 404 == edge.ask(request(path=target, method="OPTIONS"))[0]
        assert [] == edge.stage.opened

    def test_an_exchange_that_fails_ends_its_request_alone(self, edge):
        """The client is not left waiting, and the server goes on."""
        edge.stage.script = lambda exchange: exchange.no_such_thing()
        assert 500 == edge.ask(request())[0]
        edge.stage.script = echo
        assert (200, b"{}") == edge.ask(request())
        wait_for(lambda: len(edge.stage.closed) == 2)
