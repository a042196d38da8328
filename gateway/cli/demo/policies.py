"""The demo's own policies: two routes, four releases of one of them, and two plans for its rollouts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Wire = Literal["openai", "anthropic"]


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """A release of the demo and the upstream model that it is pinned to."""

    route: str
    version: str
    model: str

    def __str__(self) -> str:
        return f"{self.route}/{self.version}"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A step of a plan as its file states it: a percentage of users, or of requests to copy, and its gates."""

    kind: Literal["shadow", "percent"]
    percent: int
    gates: str

    def __str__(self) -> str:
        return f"shadow {self.percent}%" if self.kind == "shadow" else f"{self.percent}%"

    @property
    def written(self) -> str:
        """The step in a policy file."""
        return f"{{{self.kind}: {self.percent}, {self.gates}}}"


FIRST = ReleaseName("support-assistant", "1.0.0", "atlas-large-2026-03-15")
SOUND = ReleaseName("support-assistant", "1.1.0", "atlas-large-2026-09-01")
SLOWING = ReleaseName("support-assistant", "1.2.0", "atlas-mini-2026-10-01")
BREAKING = ReleaseName("support-assistant", "1.3.0", "atlas-mini-2026-11-01")
SUMMARIES = ReleaseName("summaries", "1.0.0", "harbor-2-20260801")

RELEASES = (FIRST, SOUND, SLOWING, BREAKING, SUMMARIES)
ROUTE = FIRST.route
APPS: Mapping[Wire, str] = {"openai": "helpdesk", "anthropic": "reports"}

PLANS: Mapping[str, tuple[PlanStep, ...]] = {
    "careful": (
        PlanStep("shadow", 50, "hold: 2s, min_requests: 40"),
        PlanStep("percent", 5, "hold: 3s, min_requests: 30"),
        PlanStep("percent", 25, "hold: 2s, min_requests: 40"),
        PlanStep("percent", 50, "hold: 2s, min_requests: 60"),
        PlanStep("percent", 100, "bake: 3s, min_requests: 100"),
    ),
    "brisk": (
        PlanStep("shadow", 50, "hold: 1s, min_requests: 40"),
        PlanStep("percent", 25, "hold: 5s, min_requests: 100"),
        PlanStep("percent", 100, "bake: 5s, min_requests: 100"),
    ),
}

SLOW_SECONDS = 0.7
MAX_DELTA = 0.08
"""How much worse than stable a share may be. In days a plan would ask for less; seconds can show no less."""

GUARDRAILS = f"""\
guardrails:
  - {{metric: error_rate, max_delta: {MAX_DELTA}}}
  - {{metric: slow_rate, over: {SLOW_SECONDS * 1000:.0f}ms, max_delta: {MAX_DELTA}}}
"""

PACES: Mapping[str, Mapping[str, float]] = {
    FIRST.model: {"first_token": 0.12, "rate": 250, "length": 30},
    SOUND.model: {"first_token": 0.08, "rate": 300, "length": 24},
    SLOWING.model: {"first_token": 0.05, "rate": 400, "length": 20},
    BREAKING.model: {"first_token": 0.06, "rate": 400, "length": 20},
    SUMMARIES.model: {"first_token": 0.1, "rate": 250, "length": 30},
}
"""How the simulated providers answer, model by model, as `pinion simulator` is told it."""

SLOW: Mapping[str, object] = {"rate": 24}
"""What befalls `SLOWING`: 24 tokens a second, so that a long answer that is not streamed takes over `SLOW_SECONDS`."""

BROKEN: Mapping[str, object] = {"first_token": 0, "rate": 0, "error_rate": 0.5, "error_status": 503, "cut_at": 40}
"""What befalls `BREAKING`: half of its answers are a 503, the other half break off behind their head."""

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
  "2026-03-15": {{upstream_model: {FIRST.model}, price: {{input: 2.5, output: 10}}}}
  "2026-09-01": {{upstream_model: {SOUND.model}, price: {{input: 2, output: 8}}}}
---
kind: model
name: atlas-mini
provider: simulated-openai
versions:
  "2026-10-01": {{upstream_model: {SLOWING.model}, price: {{input: 0.5, output: 2}}}}
  "2026-11-01": {{upstream_model: {BREAKING.model}, price: {{input: 0.5, output: 2}}}}
---
kind: model
name: harbor-2
provider: simulated-anthropic
versions:
  "20260801": {{upstream_model: {SUMMARIES.model}, price: {{input: 3, output: 15}}}}
"""

SUPPORT = f"""\
kind: route
name: {ROUTE}
owner: support-team
releases:
  "{FIRST.version}": {{model: atlas-large@2026-03-15, prompt: support@1.0.0, params: {{temperature: 0.2}}}}
  "{SOUND.version}": {{model: atlas-large@2026-09-01, prompt: support@1.1.0, params: {{temperature: 0.2}}}}
  "{SLOWING.version}": {{model: atlas-mini@2026-10-01, prompt: support@1.1.0, params: {{temperature: 0.2}}}}
  "{BREAKING.version}": {{model: atlas-mini@2026-11-01, prompt: support@1.1.0, params: {{temperature: 0.2}}}}
"""

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
        "plans.yaml": "---\n".join(_plan(name, steps) for name, steps in PLANS.items()),
        **serving(FIRST, "careful"),
        "summaries.yaml": SUMMARIES_ROUTE,
        **PROMPTS,
    }


def serving(release: ReleaseName, plan: str) -> dict[str, str]:
    """Give the one file that asks for a release, by a plan."""
    return {"support-assistant.yaml": f'{SUPPORT}serve: "{release.version}"\nrollout: {plan}\n'}


def _plan(name: str, steps: tuple[PlanStep, ...]) -> str:
    written = "".join(f"  - {step.written}\n" for step in steps)
    return f"kind: rollout_plan\nname: {name}\nsteps:\n{written}{GUARDRAILS}"
