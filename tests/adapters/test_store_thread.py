"""The thread of a store, with a database that does what it is told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from gateway.adapters import store_thread
from gateway.adapters.store_thread import StoreThread
from gateway.core.errors import StoreFault

pytestmark = pytest.mark.anyio


def quiet(patience):
    """A database of which nothing is asked but how long it is waited for."""
    return SimpleNamespace(name="a store", patience=patience)


async def test_calls_are_carried_out_one_after_the_other_in_one_thread():
    """And give what they give; a database without patience is waited for."""
    thread = StoreThread(quiet(None))
    assert "<StoreThread of a store>" == repr(thread)
    (one, other) = [await thread.run(threading.get_ident) for _ in range(2)]
    assert (one == other, one == threading.get_ident()) == (True, False)
    await thread.end(lambda: None)


async def test_no_call_outlasts_the_patience_and_a_silent_one_gets_less_until_an_answer():
    """Only a call that is made patiently is waited for as before."""
    thread, free = StoreThread(quiet(0.05)), threading.Event()
    with pytest.raises(StoreFault, match=r"a store has not answered within 0\.05 s"):
        await thread.run(free.wait)
    with pytest.raises(StoreFault, match=rf"within {store_thread.SILENT_SECONDS} s"):
        await thread.run(int)
    with pytest.raises(StoreFault, match=r"within 0\.05 s"):
        await thread.run(int, patiently=True)
    free.set()
    assert 0 == await thread.run(int, 60.0)
    free.clear()
    with pytest.raises(StoreFault, match=r"within 0\.05 s"):
        await thread.run(free.wait)
    free.set()
    await thread.end(lambda: None)


async def test_a_fault_of_the_database_is_passed_on():
    """One that comes at once says nothing about silence."""
    thread = StoreThread(quiet(60.0))

    def fail():
        raise StoreFault("broken")

    with pytest.raises(StoreFault, match="broken"):
        await thread.run(fail)
    assert 0 == await thread.run(int)
    await thread.end(lambda: None)


async def test_the_end_comes_after_all_that_was_asked_for_and_once():
    """Then every call is a StoreFault."""
    done = []
    thread = StoreThread(quiet(None), ThreadPoolExecutor(1))
    await thread.run(lambda: done.append("call"))
    await thread.end(lambda: done.append("end"))
    await thread.end(lambda: done.append("again"))
    assert ["call", "end"] == done
    with pytest.raises(StoreFault, match="a store is closed"):
        await thread.run(int)


async def test_a_database_is_opened_in_its_thread():
    """What keeps it from being opened is passed on."""
    database, thread = await StoreThread.opening(lambda: quiet(threading.get_ident()))
    assert database.patience == await thread.run(threading.get_ident)
    await thread.end(lambda: None)
    with pytest.raises(ZeroDivisionError):
        await StoreThread.opening(lambda: 1 // 0)
