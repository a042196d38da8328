"""The demo's own policies: two routes, three releases of one of them, and a plan whose first step is 5 percent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CANARY_PERCENT = 5
SHADOW_PERCENT = 20

Wire = Literal["openai", "anthropic"]


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """A release of the demo and the upstream model that it is pinned to."""

    route: str
    version: str
    model: str

    def __str__(self) -> str:
        return f"{self.route}/{self.version}"


STABLE = ReleaseName("support-assistant", "1.0.0", "atlas-large-2026-03-15")
CANARY = ReleaseName("support-assistant", "1.1.0", "atlas-large-2026-09-01")
SHADOW = ReleaseName("support-assistant", "1.2.0", "atlas-mini-2026-10-01")
SUMMARIES = ReleaseName("summaries", "1.0.0", "harbor-2-20260801")

RELEASES = (STABLE, CANARY, SHADOW, SUMMARIES)
ROUTE = STABLE.route
APPS: Mapping[Wire, str] = {"openai": "helpdesk", "anthropic": "reports"}

PACES: Mapping[str, Mapping[str, float]] = {
    STABLE.model: {"first_token": 0.12, "rate": 250, "length": 30},
    CANARY.model: {"first_token": 0.08, "rate": 300, "length": 24},
    SHADOW.model: {"first_token": 0.05, "rate": 400, "length": 20},
    SUMMARIES.model: {"first_token": 0.1, "rate": 250, "length": 30},
}
"""How the simulated providers answer, model by model, as `pinion simulator` is told it."""

BROKEN: Mapping[str, object] = {"first_token": 0, "rate": 0, "error_rate": 0.5, "error_status": 503, "cut_at": 40}
"""What befalls the canary: half of its answers are a 503, the other half break off behind their head."""

UPSTREAMS = f"""\
kind: provider
name: simulated-openai
dialect: openai
base_url: OPENAI_URL/v1
---
kind: provider
name: simulated-anthropic
dialect: anthropic
base_url: ANTHROPIC_URL
---
kind: model
name: atlas-large
provider: simulated-openai
versions:
  "2026-03-15": {{upstream_model: {STABLE.model}, price: {{input: 2.5, output: 10}}}}
  "2026-09-01": {{upstream_model: {CANARY.model}, price: {{input: 2, output: 8}}}}
---
kind: model
name: atlas-mini
provider: simulated-openai
versions:
  "2026-10-01": {{upstream_model: {SHADOW.model}, price: {{input: 0.5, output: 2}}}}
---
kind: model
name: harbor-2
provider: simulated-anthropic
versions:
  "20260801": {{upstream_model: {SUMMARIES.model}, price: {{input: 3, output: 15}}}}
"""

PLAN = f"""\
kind: rollout_plan
name: quick
steps:
  - {{percent: {CANARY_PERCENT}, hold: 10s, min_requests: 50}}
  - {{percent: 50, hold: 10s}}
  - {{percent: 100, bake: 10s}}
guardrails:
  - {{metric: error_rate, max_delta: 0.02}}
"""

SUPPORT = f"""\
kind: route
name: {ROUTE}
owner: support-team
releases:
  "{STABLE.version}": {{model: atlas-large@2026-03-15, prompt: support@1.0.0, params: {{temperature: 0.2}}}}
  "{CANARY.version}": {{model: atlas-large@2026-09-01, prompt: support@1.1.0, params: {{temperature: 0.2}}}}
  "{SHADOW.version}": {{model: atlas-mini@2026-10-01, prompt: support@1.1.0, params: {{temperature: 0.2}}}}
serve: "{CANARY.version}"
rollout: {{plan: quick, from: "{STABLE.version}"}}
"""

SHADOW_LINE = f'shadow: {{release: "{SHADOW.version}", percent: {SHADOW_PERCENT}}}\n'

SUMMARIES_ROUTE = f"""\
kind: route
name: {SUMMARIES.route}
owner: reports-team
releases:
  "{SUMMARIES.version}": {{model: harbor-2@20260801, prompt: summary@1.0.0, params: {{max_tokens: 256}}}}
serve: "{SUMMARIES.version}"
"""

PROMPTS: Mapping[str, str] = {
    "support-1.0.0.prompt": "---\nkind: prompt\nname: support\nversion: 1.0.0\n---\n"
    "You are a support assistant. Answer from the manual only.\n",
    "support-1.1.0.prompt": "---\nkind: prompt\nname: support\nversion: 1.1.0\n---\n"
    "You are a support assistant. Answer from the manual only, in at most three sentences.\n",
    "summary-1.0.0.prompt": "---\nkind: prompt\nname: summary\nversion: 1.0.0\n---\n"
    "Summarise what the user sends. Keep names, numbers and dates as they stand.\n",
}


def policy_files(urls: Mapping[Wire, str], digests: Mapping[Wire, str]) -> dict[str, str]:
    """Give the policy set by file name: the providers at their URLs, the applications with their keys' SHA-256."""
    upstreams = UPSTREAMS.replace("OPENAI_URL", urls["openai"]).replace("ANTHROPIC_URL", urls["anthropic"])
    routes: Mapping[Wire, str] = {"openai": ROUTE, "anthropic": SUMMARIES.route}
    apps = (
        f'kind: app\nname: {name}\nkeys: [{{sha256: "{digests[wire]}"}}]\nroutes: [{routes[wire]}]\n'
        for wire, name in APPS.items()
    )
    return {
        "upstreams.yaml": upstreams,
        "apps.yaml": "---\n".join(apps),
        "plan.yaml": PLAN,
        "support-assistant.yaml": SUPPORT,
        "summaries.yaml": SUMMARIES_ROUTE,
        **PROMPTS,
    }


def with_shadow() -> dict[str, str]:
    """Give the one file that differs once a shadow stands."""
    return {"support-assistant.yaml": SUPPORT + SHADOW_LINE}
