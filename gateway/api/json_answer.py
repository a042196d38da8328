"""An answer of the operations API as JSON, as people wrote it: text that is not ASCII stays readable."""

import json
from typing import Any

from starlette.responses import Response


def json_answer(value: Any, status: int = 200) -> Response:
    """Answer with a JSON value."""
    return Response(json.dumps(value, ensure_ascii=False), status, media_type="application/json")
