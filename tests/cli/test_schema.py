"""`pinion schema`."""

import json

from click.testing import CliRunner

from gateway.cli.schema import schema
from gateway.control.policy_schema import json_schema


def test_the_schema_is_printed_as_json():
    """It can be written to a file that an editor reads."""
    result = CliRunner().invoke(schema)
    assert 0 == result.exit_code
    assert json_schema() == json.loads(result.stdout)
