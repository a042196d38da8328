"""What leaves a gateway by itself, joined."""

import pytest

from gateway.adapters import ed25519_keys
from gateway.adapters.sql_store import SqlStore
from gateway.adapters.system_clock import SystemClock
from gateway.core.address import is_public
from gateway.core.errors import SetupFault
from gateway.outgoing import Outgoing
from gateway.settings import Settings
from tests.adapters.webhook_receiver import SECRET
from tests.control.serving_world import Meters
from tests.proxy.playbook import Journal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path):
    """An empty store."""
    opened = await SqlStore.open(f"sqlite:///{tmp_path / 'pinion.db'}")
    yield opened
    await opened.close()


def outgoing(**given):
    """What goes out by these settings."""
    return Outgoing(Settings(**given), SystemClock(), is_public)


async def test_without_a_key_and_without_a_target_nothing_goes_out(store):
    """Neither does anything run for it."""
    made = outgoing()
    assert ({}, {}, ()) == (made.waiting(), made.unanchored(), made.status())
    assert ([], []) == (list(made.tasks()), list(made.acts()))
    await made.open(store, Meters(), Journal())
    assert ({}, {}, [], None) == (made.waiting(), made.unanchored(), made.status(), made.verifier)
    assert ([], []) == (list(made.tasks()), list(made.acts()))
    await made.finish()


async def test_each_target_is_looked_after_on_its_own(store, tmp_path):
    """Beside the checkpoints and their anchors; what is new is signed at the end."""
    key = ed25519_keys.new_key("log.test")
    ed25519_keys.write_key(key, tmp_path / "key")
    urls = ("https://example.com/a", "https://example.com/b", "https://example.com/a")
    made = outgoing(
        audit_key=tmp_path / "key", audit_anchor=(f"file:{tmp_path / 'anchor'}",), notify=urls, notify_secret=SECRET
    )
    await made.open(store, Meters(), Journal())
    tasks = list(made.tasks())
    assert (key.verifier, 1, 3) == (made.verifier, len(tasks), len(list(made.acts())))
    assert ({"example.com": 0}, 2) == (made.waiting(), len(made.status()))
    assert {f"file:{tmp_path / 'anchor'}": 0} == made.unanchored()
    for task in tasks:
        task.close()
    await made.finish()


@pytest.mark.parametrize("given", [{"notify": ("https://example.com/",)}, {"notify": ("nonsense",)}])
async def test_what_cannot_be_used_is_refused_before_anything_is_opened(given):
    """As the settings are."""
    with pytest.raises(SetupFault, match="--notify"):
        outgoing(**given)
