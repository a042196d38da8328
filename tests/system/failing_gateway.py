"""`pinion serve` with two mistakes in it, whose exceptions quote what no sink may hold.

No mistake is known that could be made to happen, and what a mistake may let out has to be tried all the same.
"""

from unittest.mock import patch

from gateway.cli import main
from gateway.control.identification import Identification
from gateway.proxy import exchange
from gateway.proxy.admission import admit_body

MISTAKEN_TOKEN = "mistaken-"
identify = Identification.identify


def admit_or_fail(caller, raw, *more):
    """Fail at a body that asks for it, and quote the request."""
    if b"fail-now" in raw:
        raise RuntimeError(f"mistake with {caller.head.headers} {raw!r}")
    return admit_body(caller, raw, *more)


async def identify_or_fail(self, bearer, **more):
    """Fail at a token that asks for it, and quote it."""
    if bearer is not None and bearer.startswith(MISTAKEN_TOKEN):
        raise RuntimeError(f"mistake with {bearer}")
    return await identify(self, bearer, **more)


if __name__ == "__main__":
    with (
        patch.object(exchange, "admit_body", admit_or_fail),
        patch.object(Identification, "identify", identify_or_fail),
    ):
        main(prog_name="pinion")
