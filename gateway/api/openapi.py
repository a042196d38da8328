"""The OpenAPI document of the operations API, which describes `gateway/api/operations.py` as it serves."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from gateway import __version__

SOURCE = "openapi.yaml"


@cache
def document() -> dict[str, Any]:
    """Give the document, an OpenAPI 3.1 object as JSON holds it; the same one each time, not to be changed."""
    read: dict[str, Any] = yaml.safe_load(files("gateway.api").joinpath(SOURCE).read_text(encoding="utf-8"))
    read["info"]["version"] = __version__
    return read
