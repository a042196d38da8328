"""What a soak of some length does."""

from loadtests.soak.plan import SHORT, acts, planned


def test_a_soak_is_as_long_as_it_is_wanted():
    """Its two loads are nine tenths of it, whatever its length; what is done in it keeps its distance."""
    for seconds in (60.0, 600.0, 3600.0, 86_400.0):
        plan = planned(seconds, 1000)
        assert 2000 == plan.pace.slots
        assert round(0.9 * seconds) == round(plan.first + plan.second)
        assert plan.fault < plan.fault_every
        assert plan.pace.longest < plan.drain_grace


def test_every_fault_that_begins_ends_within_its_load():
    """In the short one each kind comes once."""
    for plan in (SHORT, planned(3600, 1000), planned(86_400, 10)):
        for name in ("redis", "postgres", "resets"):
            begun, over = (
                [moment for moment, what in acts(plan.first, plan) if what == f"{name} {when}"]
                for when in ("begins", "ends")
            )
            assert begun
            assert [round(begin + plan.fault, 6) for begin in begun] == [round(end, 6) for end in over]
            assert max(over) < plan.first


def test_no_reload_is_wanted_while_the_store_is_away():
    """It would be rejected, as it is to be."""
    plan = planned(3600, 1000)
    done = list(acts(plan.first, plan))
    away = [moment for moment, what in done if what == "postgres begins"]
    reloads = [moment for moment, what in done if what == "reload"]
    assert reloads
    assert not [moment for moment in reloads for begin in away if begin - 2 < moment < begin + plan.fault + 2]


def test_the_small_load_has_every_kind_and_few_streams():
    """It ends soon."""
    plan = planned(3600, 1000)
    assert (20, plan.pace.wholes) == (plan.warm_pace.slots, plan.warm_pace.wholes)
    assert plan.warm_pace.longest < 5
