"""wrk's script and what is read of its output."""

import pytest

from loadtests.bench.setups import Address
from loadtests.bench.wrk import Harvest, Load, LoadFault, parse, prepare, script

OUTPUT = """\
Running 3s test @ http://127.0.0.1:8080
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.01ms    1.02ms  20.11ms   91.11%
    Req/Sec    21.20k     1.11k   22.90k    80.00%
  63000 requests in 3.00s, 61.44MB read
Requests/sec:  21000.00
Transfer/sec:     20.48MB
FOUND {"requests":63000,"micros":3000000,"p50_us":2901,"p99_us":6012,"bytes_read":64424509,"not_2xx":2,\
"socket_errors":1,"timeouts":4}
"""


def test_figures_are_read_from_the_marked_line():
    """Whatever else wrk prints is passed over."""
    harvest = parse(OUTPUT)
    assert Harvest(63_000, 3_000_000, 2901, 6012, 64_424_509, 2, 1, 4) == harvest
    assert 21_000 == harvest.per_second


def test_every_kind_of_failure_is_an_error():
    """Statuses, sockets and time-outs count alike."""
    assert 7 == parse(OUTPUT).errors


def test_output_without_figures_is_a_fault():
    """What wrk said instead is in the message."""
    with pytest.raises(LoadFault, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:8080\n")


def test_the_script_reads_as_many_requests_as_there_are():
    """The Lua script names the file, its count, and balances its blocks."""
    lua = script("requests", 7)
    assert 'io.open("requests", "rb")' in lua
    assert "for number = 1, 7 do" in lua
    assert "at = at % 7 + 1" in lua
    opened = sum(lua.count(word) for word in ("function ", " do\n"))
    assert opened == lua.splitlines().count("end") + lua.count("  end\n")


def test_prepared_requests_are_framed_by_their_size(tmp_path):
    """Each request follows a line with its length, and is a whole HTTP request."""
    address = Address(8080, {"Authorization": "Bearer key"})
    prepare(tmp_path, address, Load(body=100 * 1024))
    seen = 0
    with (tmp_path / "requests").open("rb") as file:
        while size := file.readline():
            head, _, body = file.read(int(size)).partition(b"\r\n\r\n")
            assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
            assert b"Authorization: Bearer key" in head
            assert f"Content-Length: {len(body)}".encode() in head
            seen += 1
    assert 390 == seen
