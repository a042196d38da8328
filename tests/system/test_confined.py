"""A gateway that may write its store and nothing else."""

from tests.gateway_process import running_gateway
from tests.system.chatting import SIMULATED, chat, desk
from tests.system.confined_gateway import NOWHERE, WRITABLE


def test_a_gateway_needs_no_place_to_write_but_its_store(tmp_path):
    """The working folder, the home and the one for temporary files are read-only, as everything else: it serves."""
    folder = tmp_path / "store"
    folder.mkdir()
    kept = "--store", f"sqlite:///{folder / 'pinion.db'}"
    env = {WRITABLE: str(folder), "HOME": NOWHERE, "TMPDIR": NOWHERE}
    program = ("-m", "tests.system.confined_gateway")
    files = {"p.yaml": SIMULATED, "desk.yaml": desk()}
    with running_gateway(tmp_path, files, *kept, env=env, program=program) as gateway:
        assert 200 == chat(gateway).status_code
        assert gateway.status()["ready"]
        assert 0 == gateway.stop()
    assert {"pinion.db", "pinion-ledger.db"} <= {each.name for each in folder.iterdir()}
    assert not any("Read-only" in line for line in gateway.log)
