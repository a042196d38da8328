"""How commands talk to a running gateway: its operations API, with the operator token where one is set."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import quote

import click
import httpx2

from gateway.cli.terminal import printable
from gateway.core.api_key import KeyKind
from gateway.core.checkpoint import VerifierKey

TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
"""In seconds; a reload of a large policy set may take some of them."""

PATIENCE = httpx2.Timeout(600.0, connect=5.0)
"""For the report of an experiment, which goes through millions of requests."""

DIRECT = ("all://127.0.0.1", "all://localhost", "all://[::1]")
"""Hosts that no proxy of the environment can reach on our behalf."""

LINES = "application/x-ndjson"
"""How an answer of JSON lines is marked."""

WATCH_TIMEOUT = httpx2.Timeout(5.0)
"""In seconds, for who asks again and again: a gateway that says nothing is soon said to be away."""

GATEWAY_AWAY = frozenset({502, 503, 504})
"""Statuses with which what stands before a gateway says that the gateway is away."""

ANSWERS_NO = frozenset({404, 409, 422})
"""Statuses that say no to a command that was well put: no such thing, not in this state, not acceptable."""


class CommandFault(click.ClickException):
    """A command that cannot give what it was asked for; ends it with `exit_code` and one line on standard error."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"pinion: {printable(self.message)}", file=file, err=file is None)


class Refused(CommandFault):
    """The gateway answered no."""

    exit_code = 1


class NotNow(Refused):
    """The gateway cannot say or do it now, since its store or its ledger is away."""


class Misused(CommandFault):
    """The gateway cannot be reached, is none, or does not let us ask."""

    exit_code = 2


class Away(Misused):
    """Nothing answers there; a gateway that is started again may."""


class GatewayClient:
    """The operations API at one URL, for one command."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}

    def __repr__(self) -> str:
        return f"<GatewayClient {self._url}>"

    def status(self) -> dict[str, Any]:
        """Ask what serves. Here and below: the JSON answered; Refused and Misused as they say."""
        return self._ask("GET", "status")

    def explain(self, asked: dict[str, str]) -> dict[str, Any]:
        """Ask why: `asked` holds route and unit, or request, or rollout."""
        return self._ask("GET", "explain", query=asked)

    def rollout(self, route: str, timeout: httpx2.Timeout = TIMEOUT) -> dict[str, Any]:
        """Ask for a route's latest rollout with its history."""
        return self._ask("GET", f"rollouts/{quote(route, safe='')}", timeout=timeout)

    def act(self, verb: str, route: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Have a verb carried out on a route's rollout; `wanted` holds reason, full and to where they are given."""
        return self._ask("POST", f"rollouts/{quote(route, safe='')}/{verb}", body=wanted)

    def experiment(self, route: str) -> dict[str, Any]:
        """Ask what the experiment of a route shows."""
        return self._ask("GET", f"experiments/{quote(route, safe='')}", timeout=PATIENCE)

    def figures(self, route: str, version: str, window: str | None) -> dict[str, Any]:
        """Ask what a release has shown on live requests, over a window such as 28d or the gateway's own."""
        path = f"releases/{quote(route, safe='')}/{quote(version, safe='')}/figures"
        return self._ask("GET", path, query={} if window is None else {"window": window}, timeout=PATIENCE)

    def exposures(self, route: str, since: float | None) -> Iterator[bytes]:
        """Ask for the requests that the experiment of a route decided, as JSON lines, in pieces as they come.

        `since` is in wall seconds. An answer that breaks off is Misused, too.
        """
        query = {} if since is None else {"since": repr(since)}
        return self._lines(f"experiments/{quote(route, safe='')}/exposures", query)

    def audit(self, asked: dict[str, str]) -> dict[str, Any]:
        """Ask for entries of the audit trail; `asked` holds after, limit, actor, action, target and since."""
        return self._ask("GET", "audit", query=asked)

    def audit_verdict(self, key: VerifierKey | None) -> dict[str, Any]:
        """Ask whether the audit trail is whole, its checkpoints by a verifier key."""
        return self._ask("GET", "audit/verify", query={} if key is None else {"key": str(key)}, timeout=PATIENCE)

    def audit_export(self) -> Iterator[bytes]:
        """Ask for the whole audit trail as JSON lines, in pieces as they come."""
        return self._lines("audit/export", {})

    def audit_checkpoint(self) -> dict[str, Any]:
        """Ask for the latest signed checkpoint."""
        return self._ask("GET", "audit/checkpoint")

    def audit_proof(self, seq: int, size: int | None) -> dict[str, Any]:
        """Ask for the proof that an entry is in the audit trail, by the checkpoint of a size or the latest one."""
        query = {"seq": str(seq), **({} if size is None else {"size": str(size)})}
        return self._ask("GET", "audit/proof", query=query, timeout=PATIENCE)

    def audit_forget(self, name: str, reason: str) -> dict[str, Any]:
        """Have a person's name and words erased."""
        return self._ask("POST", "audit/forget", body={"name": name, "reason": reason})

    def _lines(self, path: str, query: dict[str, str]) -> Iterator[bytes]:
        """Ask for JSON lines, in pieces as they come; an answer that breaks off is Misused."""
        url = f"{self._url}/admin/v1/{path}"
        with self._reaching(TIMEOUT) as client, client.stream("GET", url, params=query) as response:
            if response.headers.get("content-type", "").partition(";")[0] != LINES:
                response.read()
                self._read(response, also=200)
                raise self._stranger(response)
            yield from response.iter_bytes()

    def registry(self, kind: str, *, use_case: str = "", search: str = "") -> dict[str, Any]:
        """Ask for the versions of a registry: those meant for a use case, those of which anything holds a text."""
        asked = {"use_case": use_case, "search": search}
        return self._ask("GET", f"registry/{kind}", query={name: text for name, text in asked.items() if text})

    def version(self, kind: str, name: str, version: str) -> dict[str, Any]:
        """Ask for one version with all that is known of it."""
        return self._ask("GET", _version(kind, name, version))

    def dependents(self, kind: str, name: str, version: str) -> dict[str, Any]:
        """Ask who depends on a version."""
        return self._ask("GET", f"{_version(kind, name, version)}/dependents", timeout=PATIENCE)

    def move_version(self, verb: str, kind: str, name: str, version: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Have a version deprecated, retired or revoked; `wanted` holds reason, retire_at and successor as given."""
        return self._ask("POST", f"{_version(kind, name, version)}/{verb}", body=wanted, timeout=PATIENCE)

    def register(self, files: Mapping[str, str]) -> dict[str, Any]:
        """Have the documents of files, name to text, registered."""
        return self._ask("POST", "registry", body={"files": dict(files)})

    def deployments(self, route: str | None, limit: int) -> dict[str, Any]:
        """Ask what served when, of one route or of all."""
        asked = {"limit": str(limit)} | ({} if route is None else {"route": route})
        return self._ask("GET", "deployments", query=asked)

    def approvals(self, *, past: bool) -> dict[str, Any]:
        """Ask what waits for a sign-off and what serves on an exception; with the past also what has ended."""
        return self._ask("GET", "approvals", query={"past": "1"} if past else None)

    def review(self, route: str, version: str) -> dict[str, Any]:
        """Ask for everything that a reviewer needs of a release."""
        return self._ask("GET", f"releases/{quote(route, safe='')}/{quote(version, safe='')}/review")

    def approval(self, verb: str, name: str, version: str | None, said: dict[str, Any]) -> dict[str, Any]:
        """Have a release, or without a version a change of an approval policy, requested, signed and so on."""
        about = f"approvals/policies/{quote(name, safe='')}"
        if version is not None:
            about = f"releases/{quote(name, safe='')}/{quote(version, safe='')}"
        return self._ask("POST", f"{about}/{verb}", body=said)

    def plan(self, files: Mapping[str, str]) -> dict[str, Any]:
        """Ask what a policy set, file name to text, would mean; one that would be refused is an answer."""
        return self._ask("POST", "plan", body={"files": dict(files)}, also=422)

    def keys(self, app: str | None) -> dict[str, Any]:
        """Ask for the issued keys of an application, or of all."""
        return self._ask("GET", "keys", query={} if app is None else {"app": app})

    def app_limits(self, app: str | None) -> dict[str, Any]:
        """Ask for the limits of an application, or of all, and what of them is used."""
        return self._ask("GET", "apps/limits", query={} if app is None else {"app": app})

    def issue(self, kind: KeyKind, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Have a key issued to an application, or a token to an operator; `wanted` may hold expires."""
        holders, issued = ("apps", "keys") if kind == "app" else ("operators", "tokens")
        return self._ask("POST", f"{holders}/{quote(name, safe='')}/{issued}", body=wanted)

    def rotate(self, app: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Have an application's key replaced; `wanted` may hold key, overlap and expires."""
        return self._ask("POST", f"apps/{quote(app, safe='')}/rotate", body=wanted)

    def revoke(self, kind: KeyKind, key: str) -> dict[str, Any]:
        """Have an issued key or token revoked."""
        return self._ask("POST", f"{'keys' if kind == 'app' else 'tokens'}/{quote(key, safe='')}/revoke", body={})

    def operators(self) -> dict[str, Any]:
        """Ask who the operators are."""
        return self._ask("GET", "operators")

    def access(self) -> dict[str, Any]:
        """Ask who may what, and what of it they have used."""
        return self._ask("GET", "access")

    def compliance(self) -> dict[str, Any]:
        """Ask for the evidence for the clauses of the frameworks."""
        return self._ask("GET", "compliance", timeout=PATIENCE)

    def reload(self) -> dict[str, Any]:
        """Have the policy files read again; a rejected set is an answer, not a refusal."""
        return self._ask("POST", "reload", body={}, also=422)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        also: int = 200,
        timeout: httpx2.Timeout = TIMEOUT,
    ) -> dict[str, Any]:
        """Ask once. `also` is a status that answers as 200 does.

        Raises:
            Refused: the gateway says no; NotNow where it cannot say.
            Misused: nothing there answers as a gateway, or it wants a token; Away where nothing answers at all.
        """
        with self._reaching(timeout) as client:
            response = client.request(method, f"{self._url}/admin/v1/{path}", params=query, json=body)
        return self._read(response, also)

    @contextmanager
    def _reaching(self, timeout: httpx2.Timeout = TIMEOUT) -> Iterator[httpx2.Client]:
        """Give a client of the gateway; what it meets on its way there becomes Away, a bad URL Misused."""
        mounts = dict.fromkeys(DIRECT)
        try:
            with httpx2.Client(timeout=timeout, mounts=mounts, headers=self._headers) as client:
                yield client
        except httpx2.ConnectError as exc:
            raise Away(
                f"no gateway answers at {self._url}; start one with `pinion serve`, or name its operations address"
                " with --admin-url"
            ) from exc
        except httpx2.HTTPError as exc:
            raise Away(f"{self._url} did not answer: {str(exc) or type(exc).__name__}") from exc
        except httpx2.InvalidURL as exc:
            raise Misused(f"{self._url} did not answer: {exc}") from exc

    def _read(self, response: httpx2.Response, also: int) -> dict[str, Any]:
        answer = _json_object(response)
        if answer is not None and response.status_code in (200, also):
            return answer
        message = _message(answer)
        if message is None:
            raise self._stranger(response)
        if response.status_code == 401:
            raise Misused(f"{message}; set PINION_TOKEN to yours, or PINION_ADMIN_TOKEN")
        if response.status_code == 503:
            raise NotNow(message)
        raise (Refused if response.status_code in ANSWERS_NO else Misused)(message)

    def _stranger(self, response: httpx2.Response) -> Misused:
        return (Away if response.status_code in GATEWAY_AWAY else Misused)(
            f"{self._url} does not answer as the operations API of a gateway (status {response.status_code});"
            " check --admin-url"
        )


def _version(kind: str, name: str, version: str) -> str:
    """Give the path of a version. A slash in a name is encoded twice, since the path is split once decoded."""
    parts = (quote(part, safe="") for part in (name, version))
    return "/".join(("registry", kind, *(quote(part, safe="") for part in parts)))


def _json_object(response: httpx2.Response) -> dict[str, Any] | None:
    try:
        value = response.json()
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _message(answer: dict[str, Any] | None) -> str | None:
    """Give the message of a refusal, where an answer is one in the shape of the operations API."""
    match answer:
        case {"error": {"message": str(message), **others}} if not others:
            return message
    return None


def _client(ctx: click.Context, param: click.Parameter, url: str) -> GatewayClient:
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is not a URL; write one such as http://127.0.0.1:8081", ctx, param)
    return GatewayClient(url, token_of(os.environ))


def token_of(environment: Mapping[str, str]) -> str | None:
    """Give the token of an environment: an operator's, an identity provider's or the admin token; None without one."""
    return environment.get("PINION_TOKEN") or environment.get("PINION_ADMIN_TOKEN") or None


gateway_option = click.option(
    "--admin-url",
    "gateway",
    metavar="URL",
    envvar="PINION_ADMIN_URL",
    default="http://127.0.0.1:8081",
    show_default=True,
    show_envvar=True,
    callback=_client,
    help="Operations API of the gateway; your token comes from PINION_TOKEN or PINION_ADMIN_TOKEN.",
)
"""Gives a command its GatewayClient, as `gateway`."""
