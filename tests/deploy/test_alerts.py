"""Each alert fires on what it is for, and stays silent otherwise."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import alerts

CASES = Path(__file__).with_name("alerts.yaml")


def test_every_alert_has_its_case():
    """None is there that was never seen to fire."""
    fired = re.findall(r'alertname="(\w+)"', CASES.read_text())
    assert {rule["alert"] for rule in alerts()} == set(fired)


@pytest.mark.tools
def test_alerts_fire_on_their_cases():
    """As Prometheus itself evaluates them."""
    done = subprocess.run(["promtool", "test", "rules", CASES], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
