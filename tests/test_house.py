"""The rules of the house that no linter knows: sizes, names, mirrors, and what may stand in a tracked file.

An exemption carries its reason and is a ratchet: a test fails when it is no longer needed.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import gateway

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "gateway"
TESTS = ROOT / "tests"

MAX_MODULE_LINES = 499
MAX_FUNCTION_LINES = 59
TESTS_PER_PATCH = 100

VAGUE_NAMES = {"utils", "helpers", "models", "manager", "common", "base", "types"}

# Module under gateway/ -> why it has no test file of its own.
UNTESTED: dict[str, str] = {
    "api/compliance.py": "one path, whose answer test_openapi.py holds to its description",
    "api/origin.py": "one value for the audit trail, which test_audit.py reads there",
    "control/fleet_life.py": "joins the fleet's parts, which have tests; tests/system/test_fleet.py runs it whole",
    "core/clauses.py": "a table, which test_compliance.py walks",
    "core/ports.py": "declares protocols and plain values; every fake and adapter is its test",
    "core/recorded.py": "plain values, which every store test makes",
    "core/trail_ports.py": "declares protocols; every fake and adapter is its test",
    "settings.py": "test_wiring.py tests what of them is refused",
    "wire/dialect.py": "declares protocols and a plain value; every dialect is its test",
}

# Module under gateway/ -> why it must import a part of gateway within a function.
LATE_IMPORTS: dict[str, str] = {
    "adapters/sql_engine.py": "migrations are rare, and Alembic costs a tenth of the start and 11 MB",
    "membership.py": "the client of Redis costs a third of the start, and only a fleet needs it",
    "adapters/upstreams.py": "the client of providers that need it costs a tenth of the start and 7 MB",
}

# Composed, so that this file does not hold what it forbids.
PACKAGE_HOSTS = [
    ".".join(labels)
    for labels in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("registry", "npmjs"),
        ("crates", "io"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("anaconda", "org"),
    )
]
MACHINE_PATHS = ["/".join(("", folder, "")) for folder in ("work", "root", "opt/pypi", "opt/wheels")]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """Every module of the package; migrations apart, which are generated scripts."""
    return sorted(path for path in HOUSE.rglob("*.py") if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    """A module's path below gateway/, as the lists of exemptions spell it."""
    return path.relative_to(HOUSE).as_posix()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of the syntax tree of a Python file."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))))


def functions(path: Path) -> Iterator[Function]:
    """Every function and method in a file, nested ones too."""
    return (node for node in nodes(path) if isinstance(node, Function))


def written_tests() -> list[tuple[Path, Function]]:
    """Every test, with the file that holds it."""
    return [
        (path, function)
        for path in sorted(TESTS.rglob("test_*.py"))
        for function in functions(path)
        if function.name.startswith("test_")
    ]


def imports_gateway(node: ast.AST) -> bool:
    """Whether a statement imports the package or a part of it."""
    match node:
        case ast.Import(names=names):
            imported = [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            imported = [module]
        case _:
            imported = []
    return any(name.partition(".")[0] == "gateway" for name in imported)


def dotted(called: ast.expr) -> str:
    """What an expression calls, as far as names say it."""
    match called:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=name):
            return f"{dotted(owner)}.{name}"
        case _:
            return ""


def is_patch(node: ast.AST) -> bool:
    """Whether an expression replaces an attribute behind its owner's back."""
    if not isinstance(node, ast.Call):
        return False
    called = dotted(node.func)
    return called == "monkeypatch.setattr" or re.search(r"\b(mock|mocker)\.patch\b|^patch\b", called) is not None


def tracked_files() -> list[Path]:
    """What git holds or would hold; the calling test is skipped outside a checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout, to know which files are the project's")
    files = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in files if path.is_file()]


@cache
def pyproject() -> dict:
    """The project's settings."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_modules_are_short():
    """A module that outgrows 499 lines holds more than one noun and is split."""
    long = {
        name_of(path): lines
        for path in modules()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_MODULE_LINES
    }
    assert {} == long


def test_test_modules_are_short():
    """So does one of tests, its worlds and samples too: its name tells one story."""
    long = {
        path.relative_to(TESTS).as_posix(): lines
        for path in sorted(TESTS.rglob("*.py"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_MODULE_LINES
    }
    assert {} == long


def test_functions_are_short():
    """A function fits on a screen: at most 59 lines, docstring included."""
    long = {
        f"{name_of(path)}:{function.name}": lines
        for path in modules()
        for function in functions(path)
        if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert {} == long


def test_no_global_statements():
    """State lives in objects that are passed along, never in a module."""
    offenders = [
        f"{name_of(path)}:{node.lineno}" for path in modules() for node in nodes(path) if isinstance(node, ast.Global)
    ]
    assert [] == offenders


def test_imports_of_the_package_stand_at_the_top():
    """An import inside a function hides a cycle, so there is none beyond the listed exemptions."""
    late = {
        name_of(path)
        for path in modules()
        for function in functions(path)
        for node in ast.walk(function)
        if imports_gateway(node)
    }
    assert set(LATE_IMPORTS) == late


def test_every_module_has_its_test_file():
    """gateway/core/bucket.py has tests/core/test_bucket.py; one without is listed with its reason."""
    missing = {
        name_of(path)
        for path in modules()
        if not path.stem.startswith("__")
        and not (TESTS / path.relative_to(HOUSE).parent / f"test_{path.stem}.py").exists()
    }
    assert set(UNTESTED) == missing, " ".join(sorted(missing ^ set(UNTESTED)))


def test_no_vague_names():
    """A module or package is named for what it holds; names that hold anything are refused."""
    named = {part for path in modules() for part in path.relative_to(HOUSE).with_suffix("").parts}
    assert set() == named & VAGUE_NAMES


def test_tracked_files_name_no_package_host_and_no_path_of_a_machine():
    """The project installs from whatever index its user has, and from any folder."""
    hosts = "|".join(re.escape(host) for host in PACKAGE_HOSTS)
    paths = "|".join(re.escape(path) for path in MACHINE_PATHS)
    needle = re.compile(rf"{hosts}|(?<![\w.~$}}-])(?:{paths})")
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked_files()
        for match in needle.finditer(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert set() == found


def test_every_test_says_what_it_holds():
    """Each test has a docstring that states the behaviour."""
    silent = [f"{path.relative_to(TESTS)}:{test.name}" for path, test in written_tests() if not ast.get_docstring(test)]
    assert [] == silent


def test_patches_are_rare():
    """Real servers and fakes come first: at most one patch for a hundred tests."""
    patches = [
        f"{path.relative_to(TESTS)}:{node.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        for node in nodes(path)
        if is_patch(node)
    ]
    allowed = len(written_tests()) // TESTS_PER_PATCH
    assert len(patches) <= allowed, patches


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("monkeypatch.setattr(module, 'name', 1)", True),
        ("mock.patch('module.name')", True),
        ("unittest.mock.patch.object(thing, 'name')", True),
        ("patch.dict(table)", True),
        ("monkeypatch.setenv('NAME', 'value')", False),
        ("client.patch_record(1)", False),
        ("dispatch()", False),
    ],
)
def test_what_counts_as_a_patch(code: str, expected: bool):
    """Replacing an attribute counts; setting an environment variable for a test does not."""
    assert expected == is_patch(ast.parse(code, mode="eval").body)


def test_the_version_is_one():
    """The package, its metadata and the newest released section of the changelog say the same version."""
    version = pyproject()["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, *released = re.findall(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    assert version == gateway.__version__
    assert "Unreleased" == unreleased
    assert released[:1] in ([], [version])


def test_import_contracts_are_named():
    """A broken import contract is reported by its name, so each has one of its own."""
    names = [contract.get("name", "") for contract in pyproject()["tool"]["importlinter"]["contracts"]]
    assert all(names)
    assert len(names) == len(set(names))
