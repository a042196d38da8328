"""The clauses of the frameworks that an export has a row for, and what is evidence for each.

Wording: titles are ours, in short; those of ISO/IEC 42001 follow secondary sources, since the standard itself is sold.
Nothing here is legal advice, and evidence for a clause is no claim that it is met.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Responsible = Literal["provider", "deployer"]

Kind = Literal[
    "approvals",
    "audit",
    "cards",
    "datasets",
    "dependents",
    "deployments",
    "evaluations",
    "feedback",
    "guardrails",
    "limitations",
    "materiality",
    "owners",
    "purposes",
    "provenance",
    "requests",
    "reviews",
    "stops",
    "upstreams",
    "validators",
]
"""What can be evidence: a kind of thing that the record holds."""


@dataclass(frozen=True, slots=True)
class Framework:
    """A set of clauses. `note` says how it is meant where that needs saying."""

    name: str
    version: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: what is evidence for it, or why it does not apply to what Pinion keeps a record of."""

    framework: str
    clause: str
    title: str
    responsible: Responsible
    kinds: tuple[Kind, ...] = ()
    not_applicable: str | None = None


FRAMEWORKS: Mapping[str, Framework] = {
    "eu-ai-act": Framework("EU AI Act", "Regulation (EU) 2024/1689 as amended by (EU) 2026/1744"),
    "nist-ai-rmf": Framework("NIST AI RMF", "1.0, with AI 600-1"),
    "iso-42001": Framework("ISO/IEC 42001", "2023", "titles after secondary sources"),
    "sr-26-2": Framework(
        "SR 26-2",
        "2026",
        "used as good practice: the guidance says that generative AI models are outside its scope",
    ),
}

CLAUSES: tuple[Clause, ...] = (
    Clause(
        "eu-ai-act", "9", "Risk management over the lifetime", "provider", ("materiality", "limitations", "guardrails")
    ),
    Clause("eu-ai-act", "10", "Data: origin, purpose, gaps, representativeness", "provider", ("datasets",)),
    Clause("eu-ai-act", "11", "Technical documentation, kept current (Annex IV)", "provider", ("cards", "provenance")),
    Clause("eu-ai-act", "12(1)", "Automatic recording of events", "provider", ("requests", "audit")),
    Clause(
        "eu-ai-act", "12(2)", "Events that show risks and substantial changes", "provider", ("audit", "deployments")
    ),
    Clause(
        "eu-ai-act",
        "12(3)",
        "Records of each use of remote biometric identification",
        "provider",
        not_applicable="Pinion serves language models; it identifies nobody by biometric data",
    ),
    Clause(
        "eu-ai-act",
        "13",
        "Instructions: purpose, accuracy, limits, lifetime",
        "provider",
        ("cards", "purposes", "limitations", "evaluations"),
    ),
    Clause("eu-ai-act", "14", "Human oversight: override and stop", "provider", ("stops", "approvals")),
    Clause("eu-ai-act", "15", "Accuracy, robustness, cybersecurity", "provider", ("evaluations", "provenance")),
    Clause(
        "eu-ai-act",
        "17",
        "Quality management: change control, records, accountability",
        "provider",
        ("approvals", "audit", "owners"),
    ),
    Clause("eu-ai-act", "18", "Documentation kept for ten years", "provider", ("provenance", "audit")),
    Clause("eu-ai-act", "19(1)", "Logs kept for six months at least", "provider", ("requests",)),
    Clause("eu-ai-act", "20", "Corrective action", "provider", ("stops", "deployments")),
    Clause("eu-ai-act", "25", "Responsibilities along the value chain", "provider", ("upstreams", "purposes")),
    Clause("eu-ai-act", "26(2)", "Named overseers", "deployer", ("owners",)),
    Clause("eu-ai-act", "26(5)", "Monitoring, and suspending", "deployer", ("guardrails", "stops")),
    Clause("eu-ai-act", "26(6)", "Logs kept for six months at least", "deployer", ("requests",)),
    Clause(
        "eu-ai-act",
        "53(1)",
        "Documentation of general-purpose models from upstream",
        "provider",
        ("upstreams", "cards"),
    ),
    Clause("eu-ai-act", "72", "Monitoring after going to market", "provider", ("guardrails", "feedback")),
    Clause("nist-ai-rmf", "GOVERN 1.5", "Review is planned, with its cadence", "deployer", ("reviews",)),
    Clause("nist-ai-rmf", "GOVERN 1.6", "Inventory of AI systems", "deployer", ("provenance", "deployments")),
    Clause(
        "nist-ai-rmf",
        "GOVERN 1.7",
        "Decommissioning, with what depends on it",
        "deployer",
        ("dependents", "deployments"),
    ),
    Clause("nist-ai-rmf", "GOVERN 2.1", "Roles and responsibilities", "deployer", ("owners", "approvals")),
    Clause("nist-ai-rmf", "GOVERN 6.1", "Third parties", "deployer", ("upstreams",)),
    Clause("nist-ai-rmf", "MAP 1.1", "Intended purposes", "deployer", ("purposes",)),
    Clause("nist-ai-rmf", "MAP 2.2", "Limits of what the system knows", "deployer", ("limitations",)),
    Clause("nist-ai-rmf", "MAP 4.1", "Risks of components", "deployer", ("upstreams", "provenance")),
    Clause(
        "nist-ai-rmf", "MEASURE 1.3", "Assessed by others than the developers", "deployer", ("validators", "approvals")
    ),
    Clause(
        "nist-ai-rmf", "MEASURE 2.1", "Test sets and metrics are documented", "deployer", ("evaluations", "datasets")
    ),
    Clause("nist-ai-rmf", "MEASURE 2.4", "Monitored in production", "deployer", ("guardrails", "requests")),
    Clause("nist-ai-rmf", "MEASURE 2.11", "Fairness is evaluated", "deployer", ("evaluations",)),
    Clause("nist-ai-rmf", "MANAGE 1.1", "A decision to go on or not", "deployer", ("approvals",)),
    Clause("nist-ai-rmf", "MANAGE 2.4", "Superseding and deactivating", "deployer", ("stops",)),
    Clause("nist-ai-rmf", "MANAGE 3.1", "Third-party models are monitored", "deployer", ("upstreams", "guardrails")),
    Clause("nist-ai-rmf", "MANAGE 4.1", "Feedback and override after deployment", "deployer", ("feedback", "stops")),
    Clause("iso-42001", "6.1.3", "Treatment of risks", "provider", ("materiality", "guardrails")),
    Clause("iso-42001", "7.5", "Documented information", "provider", ("cards", "audit")),
    Clause("iso-42001", "9.1", "Monitoring and measurement", "provider", ("guardrails", "evaluations")),
    Clause("iso-42001", "A.3.2", "Roles and responsibilities", "provider", ("owners",)),
    Clause("iso-42001", "A.4.2", "Documentation of resources", "provider", ("provenance", "upstreams")),
    Clause("iso-42001", "A.6.2.4", "Verification and validation", "provider", ("evaluations", "validators")),
    Clause("iso-42001", "A.6.2.5", "Deployment", "provider", ("deployments", "approvals")),
    Clause("iso-42001", "A.6.2.6", "Operation and monitoring", "provider", ("guardrails", "stops")),
    Clause("iso-42001", "A.6.2.7", "Technical documentation", "provider", ("cards",)),
    Clause("iso-42001", "A.6.2.8", "Event logs", "provider", ("requests", "audit")),
    Clause("iso-42001", "A.7.2", "Data for development", "provider", ("datasets",)),
    Clause("iso-42001", "A.7.5", "Provenance of data", "provider", ("datasets", "provenance")),
    Clause("iso-42001", "A.8.3", "Reports from outside", "provider", ("feedback",)),
    Clause("iso-42001", "A.9.4", "Intended use", "provider", ("purposes",)),
    Clause("iso-42001", "A.10.3", "Suppliers", "provider", ("upstreams",)),
    Clause(
        "sr-26-2",
        "inventory",
        "Inventory of models, and what depends on them",
        "deployer",
        ("provenance", "dependents"),
    ),
    Clause("sr-26-2", "materiality", "Materiality: exposure and purpose", "deployer", ("materiality",)),
    Clause(
        "sr-26-2",
        "validation",
        "Independent validation and effective challenge",
        "deployer",
        ("validators", "approvals"),
    ),
    Clause(
        "sr-26-2",
        "monitoring",
        "Ongoing monitoring and outcomes analysis",
        "deployer",
        ("guardrails", "feedback", "evaluations"),
    ),
    Clause("sr-26-2", "vendors", "Vendor models", "deployer", ("upstreams",)),
    Clause("sr-26-2", "change", "Changes, and what triggers a new review", "deployer", ("approvals", "reviews")),
)
"""Every row of an export, in its order."""
