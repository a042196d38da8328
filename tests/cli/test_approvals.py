"""`pinion approvals` without a gateway; what it lists of one is tested with `pinion release`."""


def test_without_a_gateway_it_says_so(alone):
    """As every command does that asks one."""
    result = alone("approvals", PINION_ADMIN_URL="http://127.0.0.1:1")
    assert (2, True) == (result.exit_code, "no gateway answers" in result.output)
