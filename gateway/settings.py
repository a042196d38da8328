"""How one gateway process is told to run, and what of it is refused."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.adapters.fleet_address import FleetAddress
from gateway.adapters.sql_engine import scheme_of
from gateway.core.address import is_loopback
from gateway.core.errors import SetupFault


@dataclass(frozen=True, slots=True)
class Settings:
    """How one gateway process is told to run. Durations in seconds, sizes in bytes."""

    policies: Path = Path("policies")
    host: str = "127.0.0.1"
    port: int = 8080
    admin_host: str = "127.0.0.1"
    admin_port: int = 8081
    store: str = field(default="sqlite:///pinion.db", repr=False)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    admin_token: str | None = field(default=None, repr=False)
    dev: bool = False
    drain_delay: float = 2.0
    drain_grace: float = 120.0
    max_body: int = 32 * 1024 * 1024
    max_requests: int = 10_000
    retention: float = 30 * 86_400.0
    store_copy: Path = Path("pinion-store-copy.json")
    environment: str = "default"
    audit_key: Path | None = None
    audit_anchor: tuple[str, ...] = ()
    audit_every: int = 256
    audit_webhook_secret: str | None = field(default=None, repr=False)
    notify: tuple[str, ...] = field(default=(), repr=False)
    notify_secret: str | None = field(default=None, repr=False)
    fleet: str | None = field(default=None, repr=False)


def check_settings(settings: Settings) -> None:
    """Refuse settings that would expose what must not be.

    Raises:
        SetupFault: it says which setting, and what to do.
    """
    if settings.dev and not (is_loopback(settings.host) and is_loopback(settings.admin_host)):
        raise SetupFault("--dev serves on loopback alone; leave --host and --admin-host at 127.0.0.1")
    if settings.admin_token is not None and len(settings.admin_token) < 16:
        raise SetupFault("PINION_ADMIN_TOKEN is shorter than 16 characters; make a longer one")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SetupFault("--tls-cert and --tls-key belong together; give both")
    if settings.audit_anchor and settings.audit_key is None:
        raise SetupFault("--audit-anchor sends signed checkpoints and needs --audit-key; `pinion audit key` makes one")
    if settings.fleet is not None:
        FleetAddress.read(settings.fleet)
        if scheme_of(settings.store) == "sqlite":
            raise SetupFault(
                "--fleet joins gateways on one PostgreSQL store, and this one is a SQLite file, which one process has; "
                "give --store postgresql://... or leave --fleet out"
            )
