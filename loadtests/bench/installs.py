"""Environments of the peers, each its own under `.bench/`: one that cannot be made is missing, with the reason."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 900
"""How long one installation may take."""

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
"""Where servers lie that are not on a user's PATH."""


@dataclass(frozen=True, slots=True)
class Found:
    """A program that can be started, with the environment variables that it needs."""

    program: Path
    version: str
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """A program that is not here, and why."""

    reason: str


Install = Callable[[Path], Found | Missing]
"""Installs below a folder, or finds what it installed before."""


class InstallFault(Exception):
    """A step of an installation that failed, with what it said."""


def from_pypi(package: str, version: str, program: str, extra: str = "") -> Install:
    """Make an installer of a Python package into a virtual environment of its own."""

    def install(folder: Path) -> Found | Missing:
        home = folder / package
        environment = home / "bin"
        try:
            with _once(home, f"{package}{extra}=={version}") as fresh:
                if fresh:
                    _run([sys.executable, "-m", "venv", str(home)])
                    pip = [
                        str(environment / "python"),
                        "-m",
                        "pip",
                        "install",
                        "--quiet",
                        "--disable-pip-version-check",
                    ]
                    _run([*pip, f"{package}{extra}=={version}"])
        except InstallFault as fault:
            return Missing(str(fault))
        return Found(environment / program, version)

    return install


def from_npm(package: str, version: str, program: str) -> Install:
    """Make an installer of a package for Node.js; `program` is the script below the package."""

    def install(folder: Path) -> Found | Missing:
        if not shutil.which("npm") or not shutil.which("node"):
            return Missing("needs node and npm on the PATH")
        home = folder / package.replace("/", "-").lstrip("@")
        try:
            with _once(home, f"{package}@{version}") as fresh:
                if fresh:
                    home.mkdir(parents=True, exist_ok=True)
                    _run(["npm", "install", "--silent", "--no-fund", "--no-audit", f"{package}@{version}"], cwd=home)
        except InstallFault as fault:
            return Missing(str(fault))
        return Found(home / "node_modules" / package / program, version)

    return install


def from_debian(program: str, packages: Sequence[str], version: Callable[[Found], str]) -> Install:
    """Make a finder of a program of the system; without one, Debian's packages are unpacked, not installed.

    Unpacking needs no root, and starts no service.
    """

    def install(folder: Path) -> Found | Missing:
        search = os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))
        if own := shutil.which(program, path=search):
            found = Found(Path(own), "")
        else:
            home = folder / f"debian-{program}"
            try:
                with _once(home, " ".join(packages)) as fresh:
                    if fresh:
                        _unpack(packages, home)
            except InstallFault as fault:
                return Missing(str(fault))
            programs = [path for path in home.glob(f"usr/*bin/{program}") if path.is_file()]
            if not programs:
                return Missing(f"none of {', '.join(packages)} holds {program}")
            libraries = os.pathsep.join(str(path) for path in sorted(home.glob("usr/lib/*-linux-gnu")))
            found = Found(programs[0], "", {"LD_LIBRARY_PATH": libraries} if libraries else {})
        return Found(found.program, version(found), found.environment)

    return install


def _unpack(packages: Sequence[str], home: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise InstallFault(f"not on the PATH, and there is no apt-get to fetch {', '.join(packages)} with")
    home.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", "--quiet", *packages], cwd=home)
    for archive in sorted(home.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(archive), str(home)])


def output_of(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Give all that a short command prints, whatever its exit code; nothing when it cannot be run."""
    try:
        told = subprocess.run(  # noqa: S603 - commands of our own
            command,
            check=False,
            timeout=30,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout


class _once:  # noqa: N801 - reads as the context manager that it is
    """Say whether an installation is still to be made, and mark it made when the block ends well."""

    def __init__(self, home: Path, what: str) -> None:
        self._home, self._what = home, what

    def __enter__(self) -> bool:
        stamp = self._home / ".installed"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == self._what:
            return False
        shutil.rmtree(self._home, ignore_errors=True)
        return True

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._home.is_dir():
            (self._home / ".installed").write_text(self._what, encoding="utf-8")


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(  # noqa: S603 - commands of our own
            command, check=True, cwd=cwd, timeout=SECONDS, text=True, errors="replace", capture_output=True
        )
    except subprocess.CalledProcessError as exc:
        said = " ".join((exc.stderr or exc.stdout or "").split())
        raise InstallFault(f"{Path(command[0]).name} failed: {said[-300:]}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise InstallFault(f"{Path(command[0]).name} failed: {exc}") from exc
