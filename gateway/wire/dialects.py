"""The dialects that Pinion serves, by the name that policies use."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.wire.anthropic import Anthropic
from gateway.wire.dialect import Dialect
from gateway.wire.openai import OpenAI

DIALECTS: Mapping[str, Dialect] = MappingProxyType({"openai": OpenAI(), "anthropic": Anthropic()})
