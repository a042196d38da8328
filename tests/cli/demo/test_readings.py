"""What the demo reads of the gateway's metrics."""

from gateway.cli.demo.readings import Readings, read

EXPOSITION = """\
# HELP pinion_cost_usd_total Cost.
# TYPE pinion_cost_usd_total counter
pinion_cost_usd_total{route="r",release="1.0.0",track="stable"} 0.5
pinion_cost_usd_total{route="r",release="1.0.0",track="fallback"} 0.25
pinion_cost_usd_total{route="r",release="1.1.0",track="shadow"} 0.125
pinion_cost_usd_created{route="r",release="1.0.0",track="stable"} 1.7e9
# HELP pinion_app_cost_usd_total Cost.
# TYPE pinion_app_cost_usd_total counter
pinion_app_cost_usd_total{app="helpdesk",route="r"} 0.5
pinion_app_cost_usd_total{app="helpdesk",route="s"} 0.25
"""


def test_costs_are_added_up_over_tracks():
    """A release's cost is that of all its tracks but the copies', which is apart; applications are read beside it."""
    expected = Readings({("r", "1.0.0"): 0.75}, {("r", "1.1.0"): 0.125}, {"helpdesk": 0.75})
    assert expected == read(EXPOSITION)


def test_a_gateway_without_traffic_has_nothing_to_read():
    """Families that are not there yet are empty."""
    assert Readings() == read("")
