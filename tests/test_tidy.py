"""The house style, as far as a program can see it. Each test lists every breach, with its line.

What ruff checks already (columns, docstrings, imports) is checked there; here is the rest, and what
must hold over several files at once.
"""

from __future__ import annotations

import ast
import gc
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

ROOT: Final = Path(__file__).resolve().parent.parent
LINES_MAX: Final = 800
FUNCTION_LINES_MAX: Final = 70
COLUMNS_MAX: Final = 100
REASON_LENGTH_MIN: Final = 5

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: Final = tuple(
    sorted({p.split(".")[0] for p in PROJECT["tool"]["setuptools"]["packages"]})
)
MODULE_NAMES_FORBIDDEN: Final = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
FAULTS: Final = {"LocalMisuse", "RemoteViolation", "OperationalFault", "InvariantBroken"}
FOLDERS_SKIPPED: Final = {"build", "dist", "__pycache__", "node_modules"}
HIDDEN_KEPT: Final = {".ci", ".github", ".gitignore", ".dockerignore"}
TEXT_SUFFIXES: Final = {
    "",
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".sh",
    ".yml",
    ".yaml",
    ".html",
    ".js",
    ".css",
}

# The brackets keep this file from breaching its own rules.
OPEN_ENDS: Final = re.compile(r"\b([T]ODO|[F]IXME|[X]XX)\b")
FROM_OUTSIDE: Final = re.compile(
    r"\.\./[s]hared|/[w]ork/(main|shared)|\b([D]ESIGN|[S]TYLE|[L]IBP2P)\.md\b|\b[i]ssues? #?\d"
    r"|\b(this|previous|earlier|next|last|another) [s]ession\b",
    re.IGNORECASE,
)
SUPPRESSION: Final = re.compile(
    r"#\s*(?:[n]oqa|[t]ype:\s*ignore|[r]uff:\s*noqa)"
    r"(?P<codes>:?\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*|\[[\w, -]+\])?"
    r"(?P<rest>[^\n]*)"
)


@cache
def text_files() -> tuple[Path, ...]:
    """Return every text file of the project, without caches and environments."""

    def walk(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") and path.name not in HIDDEN_KEPT:
                continue
            if path.is_dir():
                is_environment = (path / "pyvenv.cfg").exists()
                if path.name not in FOLDERS_SKIPPED and not is_environment:
                    yield from walk(path)
            elif path.suffix in TEXT_SUFFIXES or path.name in HIDDEN_KEPT:
                yield path

    return tuple(p for p in walk(ROOT) if not any(part.endswith(".egg-info") for part in p.parts))


@cache
def text_of(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


@cache
def trees() -> dict[Path, ast.Module]:
    """Return the syntax tree of every Python file."""
    return {path: ast.parse(text_of(path)) for path in text_files() if path.suffix == ".py"}


@cache
def nodes_of(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Return every node of a tree; the walk is the slow part, and each test needs it."""
    return tuple(ast.walk(tree))


@pytest.fixture(scope="module", autouse=True)
def _kept_while_needed() -> Iterator[None]:
    """Keep a million nodes from being searched for garbage while they are made, and forget them."""
    was_enabled = gc.isenabled()
    gc.disable()
    yield
    for cached in (text_files, text_of, trees, nodes_of):
        cached.cache_clear()
    if was_enabled:
        gc.enable()


def package_trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield the trees of the packages: what is installed, without tests and scripts."""
    for path, tree in trees().items():
        if path.relative_to(ROOT).parts[0] in PACKAGES:
            yield path, tree


def at(path: Path, line: int, what: str) -> str:
    """Return one breach as text."""
    return f"{path.relative_to(ROOT)}:{line}: {what}"


def expect_none(breaches: list[str]) -> None:
    """Fail with one breach a line."""
    __tracebackhide__ = True
    if breaches:
        pytest.fail("\n".join(breaches), pytrace=False)


def search_lines(path: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    """Yield a breach for every line that the pattern matches."""
    text = text_of(path)
    if pattern.search(text):
        for number, line in enumerate(text.splitlines(), start=1):
            if found := pattern.search(line):
                yield at(path, number, found.group())


def name_of(node: ast.expr | None) -> str:
    """Return `a.b.c` for a dotted name, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return ""


def test_files_are_short() -> None:
    lengths = {path: text_of(path).count("\n") for path in trees()}
    expect_none([at(p, n, "lines") for p, n in lengths.items() if n > LINES_MAX])


def test_functions_are_short() -> None:
    breaches = [
        at(path, node.lineno, f"{node.name} has {node.end_lineno - node.lineno + 1} lines")
        for path, tree in trees().items()
        for node in nodes_of(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]
    expect_none(breaches)


def test_lines_are_narrow() -> None:
    # A suppression with its reason may run over, as for ruff.
    breaches = [
        at(path, number, f"{len(line)} columns")
        for path in trees()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if len(line) > COLUMNS_MAX and len(SUPPRESSION.sub("", line).rstrip()) > COLUMNS_MAX
    ]
    expect_none(breaches)


def test_nothing_is_left_open() -> None:
    expect_none([breach for path in text_files() for breach in search_lines(path, OPEN_ENDS)])


def test_the_text_stands_alone() -> None:
    expect_none([breach for path in text_files() for breach in search_lines(path, FROM_OUTSIDE)])


def test_modules_are_named_for_what_they_are() -> None:
    expect_none([at(p, 1, p.stem) for p in trees() if p.stem in MODULE_NAMES_FORBIDDEN])


def test_every_module_says_what_it_is_for() -> None:
    expect_none(
        [at(p, 1, "no docstring") for p, tree in package_trees() if not ast.get_docstring(tree)]
    )


def test_imports_are_absolute() -> None:
    breaches = [
        at(path, node.lineno, "relative import")
        for path, tree in trees().items()
        for node in nodes_of(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    expect_none(breaches)


def test_every_import_is_declared() -> None:
    """What a package imports is its own, the standard library's or a declared dependency's."""
    declared = {
        re.split(r"[^\w.-]", text)[0].lower().replace("_", "-")
        for text in PROJECT["project"]["dependencies"]
    }
    distributions = {
        "google": "protobuf",
        "nacl": "pynacl",
        "opentelemetry": "opentelemetry-sdk",
        "pydantic_core": "pydantic",
        "yaml": "pyyaml",
    }
    breaches = []
    for path, tree in package_trees():
        for node in nodes_of(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            for top in {module.split(".")[0] for module in modules}:
                known = top in PACKAGES or top in sys.stdlib_module_names
                if (
                    not known
                    and distributions.get(top, top.lower().replace("_", "-")) not in declared
                ):
                    breaches.append(at(path, node.lineno, top))
    expect_none(breaches)


def test_every_package_is_installed() -> None:
    """A sub-package that pyproject.toml forgets works in an editable install and nowhere else."""
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    expect_none(
        [
            at(path, 1, "not in [tool.setuptools] packages")
            for path, _ in package_trees()
            if ".".join(path.relative_to(ROOT).parts[:-1]) not in listed
        ]
    )


def test_every_queue_is_bounded() -> None:
    queues = {"Queue", "LifoQueue", "PriorityQueue"}
    breaches = [
        at(path, node.lineno, "unbounded queue")
        for path, tree in trees().items()
        for node in nodes_of(tree)
        if isinstance(node, ast.Call)
        and name_of(node.func).removeprefix("asyncio.").removeprefix("queue.") in queues
        and not node.args
        and not any(keyword.arg == "maxsize" for keyword in node.keywords)
    ]
    expect_none(breaches)


def test_broad_handlers_say_why() -> None:
    breaches = []
    for path, tree in trees().items():
        lines = text_of(path).splitlines()
        for node in nodes_of(tree):
            if isinstance(node, ast.ExceptHandler):
                caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                names = {name_of(one) for one in caught}
                broad = node.type is None or names & {"Exception", "BaseException"}
                if (
                    broad
                    and "noqa: BLE001" not in lines[node.lineno - 1]
                    and not ends_in_raise(node)
                ):
                    breaches.append(at(path, node.lineno, "broad except"))
    expect_none(breaches)


def ends_in_raise(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler passes on what it caught: it cleans up and hides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_every_suppression_says_why() -> None:
    breaches = []
    for path in trees():
        for number, line in enumerate(text_of(path).splitlines(), start=1):
            found = SUPPRESSION.search(line)
            if found is None:
                continue
            while another := SUPPRESSION.search(found["rest"]):
                found = another
            if found["codes"] is None:
                breaches.append(at(path, number, "suppresses everything, name the rule"))
            elif len(found["rest"].strip(" #-\N{EN DASH}\N{EM DASH}:")) < REASON_LENGTH_MIN:
                breaches.append(at(path, number, "suppression without a reason"))
    expect_none(breaches)


def test_nothing_raises_a_bare_error() -> None:
    bare = {"Exception", "BaseException", "RuntimeError", "ValueError"}
    breaches = [
        at(path, node.lineno, f"raise {name_of(raised)}: declare an error with a code")
        for path, tree in package_trees()
        for node in nodes_of(tree)
        if isinstance(node, ast.Raise)
        for raised in [node.exc.func if isinstance(node.exc, ast.Call) else node.exc]
        if name_of(raised) in bare
    ]
    expect_none(breaches)


def error_classes() -> list[tuple[Path, ast.ClassDef]]:
    """Return the classes that descend from MyceldError, found by the names of their bases."""
    classes = [
        (path, node)
        for path, tree in package_trees()
        for node in nodes_of(tree)
        if isinstance(node, ast.ClassDef)
    ]
    names = {"MyceldError"}
    while True:
        errors = [
            (p, c) for p, c in classes if {name_of(b).split(".")[-1] for b in c.bases} & names
        ]
        found = names | {c.name for _, c in errors}
        if found == names:
            return errors
        names = found


def attribute_of(node: ast.ClassDef, name: str) -> object:
    """Return the constant assigned to a class attribute, or None."""
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            targets: list[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        if name in map(name_of, targets):
            value = statement.value
            return value.value if isinstance(value, ast.Constant) else ast.dump(value or targets[0])
    return None


def test_every_error_has_a_code_of_its_own_and_a_remedy() -> None:
    errors = error_classes()
    parents = {name_of(base).split(".")[-1] for _, node in errors for base in node.bases}
    breaches = []
    codes = Counter(code for _, node in errors if (code := attribute_of(node, "code")))
    for path, node in errors:
        code = attribute_of(node, "code")
        is_leaf = node.name not in parents and node.name not in FAULTS
        if is_leaf and code is None:
            breaches.append(at(path, node.lineno, f"{node.name} has no code"))
        if is_leaf and attribute_of(node, "remedy") is None:
            breaches.append(at(path, node.lineno, f"{node.name} has no remedy"))
        if code is not None and not re.fullmatch(r"MYC-[A-Z0-9]+-\d{3}", str(code)):
            breaches.append(at(path, node.lineno, f"{code} is not a code"))
        if codes[code] > 1:
            breaches.append(at(path, node.lineno, f"{code} is used {codes[code]} times"))
    assert errors != []
    expect_none(breaches)


def test_no_example_is_refused_because_the_machine_is_slow() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
