"""Arrows point down only: which room may import which, who may read the clock and who the environment.

Each rule is shown twice: the project keeps it, and a small tree that breaks it is caught.
"""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

# A room may import the rooms listed for it, itself, and nothing else of its package.
COLLECTOR = {
    "errors": set[str](),
    "digits": set[str](),
    "form": set[str](),
    "logs": set[str](),
    "moments": set[str](),
    "notify": set[str](),
    "probe": {"form"},
    "signature": {"form"},
    "values": {"errors", "signature"},
    "envfile": {"errors"},
    "settings": {"errors", "envfile", "values"},
    "wire": {"form", "digits", "moments"},
    "recipient": {"digits"},
    "items": set[str](),
    "setup": {"errors", "values"},
    "postgresql": {"errors"},
    "disks": {"errors"},
    "engines": {"disks", "errors", "postgresql"},
    "store": {"errors", "engines", "wire"},
    "migrations": {"errors", "engines", "store"},
    "bounds": {"store"},
    "ledger": {"bounds", "errors", "items", "logs", "store"},
    "pulse": {"store"},
    "status": {"archive", "engines", "errors", "moments", "store", "pulse", "turns"},
    "turns": {"store"},
    "tally": set[str](),
    "keys": {"errors", "digits", "recipient"},
    "cleartext": {"digits", "form"},
    "archive": {"engines", "errors", "store", "turns"},
    "pruning": {"archive", "errors", "store", "turns"},
    "moving": {"errors", "engines", "pulse", "store", "tally", "turns"},
    "writer": {"errors", "items", "ledger", "logs", "pulse"},
}
TOOLKIT = {
    "errors": set[str](),
    "stats": {"errors"},
    "model": {"errors"},
    "load": {"errors", "model"},
    "metrics": {"errors", "model", "stats"},
    "charts": {"errors", "model", "stats"},
    "simulate": {"errors"},
    "report": {"errors", "model", "stats", "load", "metrics", "charts"},
    # For notebooks alone: no room may import it.
    "notebook": {"errors", "model", "stats", "load", "metrics", "charts"},
    "demo": {"errors", "model", "stats", "load", "metrics", "charts", "report", "simulate"},
    "cli": {"errors", "model", "stats", "load", "metrics", "charts", "report", "simulate", "demo"},
}
HEAVY = {"pandas", "numpy", "duckdb", "matplotlib", "narwhals", "polars", "pyspark", "adbc_driver_sqlite"}
# Third-party packages with one home: where they may be imported in the collector.
HOMES = {"pyarrow": {"archive"}, "alembic": {"migrations", "migrate"}, "psycopg": {"postgresql"}}
CLOCK_READERS = {"collector/routes.py", "collector/__main__.py", "verify_analytics/cli.py"}
ENVIRONMENT_READERS = {"collector/settings.py", "verify_analytics/cli.py"}
CLOCK = {
    *(f"time.{name}" for name in ("time", "time_ns", "gmtime", "localtime", "ctime", "asctime", "strftime")),
    *("time.clock_gettime", "time.clock_gettime_ns", "datetime.date.today", "email.utils.localtime"),
    *(f"{kind}.{name}" for kind in ("datetime.datetime", "pandas.Timestamp") for name in ("now", "utcnow", "today")),
}
# Called on whatever it is, these ask the clock: of a class that came as a value, too, and of a database.
CLOCK_CALLS = {"now", "utcnow", "today"}
ENVIRONMENT = {
    f"{system}.{name}" for system in ("os", "posix") for name in ("environ", "environb", "getenv", "getenvb")
}
STARRED = {"time", "datetime", "os"}
# What imports by a name that is only known when it runs, and the one file that does.
IMPORTERS = {"importlib.import_module", "importlib.__import__", "builtins.__import__", "__import__"}
UNNAMED_IMPORTS = {"verify_analytics/load/stores.py": "the driver of a database, which is no room of ours"}


class Import(NamedTuple):
    """One imported module, by its full name, and the line that asks for it."""

    name: str
    line: int


@cache
def parsed(text: str) -> ast.Module:
    """Parse a file once; a second time where Python before 3.11.9 miscounts (its issue 106905)."""
    try:
        return ast.parse(text)
    except SystemError:
        return ast.parse(text)


class Names:
    """What the names of one file stand for, whatever they are called there; wherever in the file they are bound."""

    def __init__(self, tree: ast.Module, package_parts: tuple[str, ...]) -> None:
        self.tree = tree
        self.package = package_parts
        self.means: dict[str, set[str]] = {"__import__": {"__import__"}}
        self.imported: list[Import] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.imported.append(Import(alias.name, node.lineno))
                    self._bind(alias.asname or alias.name.split(".")[0], alias.name if alias.asname else "")
            elif isinstance(node, ast.ImportFrom):
                self._bind_from(node)
        # A name for a name: `clock = time`, then `clock.time()`.
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    for full in self.full_names(node.value):
                        self._bind(target.id if isinstance(target, ast.Name) else "", full)

    def _bind(self, name: str, full: str) -> None:
        self.means.setdefault(name, set()).add(full or name)

    def _bind_from(self, node: ast.ImportFrom) -> None:
        base = list(self.package[: len(self.package) - node.level + 1]) if node.level else []
        stem = ".".join(base + ([node.module] if node.module else []))
        self.imported.append(Import(stem, node.lineno))
        for alias in node.names:
            self.imported.append(Import(f"{stem}.{alias.name}", node.lineno))
            self._bind(alias.asname or alias.name, f"{stem}.{alias.name}")

    def full_names(self, node: ast.AST) -> set[str]:
        """Say what an expression stands for: `D.now` is `datetime.datetime.now`; nothing, if it is no import's."""
        if isinstance(node, ast.Name):
            return self.means.get(node.id, set())
        if isinstance(node, ast.Attribute):
            return {f"{full}.{node.attr}" for full in self.full_names(node.value)}
        if isinstance(node, ast.Call):
            words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if isinstance(node.func, ast.Name) and node.func.id == "getattr" and words:
                return {f"{full}.{words[0]}" for full in self.full_names(node.args[0])}
            if self.full_names(node.func) & IMPORTERS and words:
                return {resolve_name(words[0], words[1] if words[1:] else ".".join(self.package))}
        return set()

    def used(self) -> Iterator[Import]:
        """Every full name that the file imports or uses; imports inside functions and under `if` count too."""
        yield from self.imported
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Call | ast.Name):
                yield from (Import(full, node.lineno) for full in self.full_names(node))


@cache
def used_in(text: str, package_parts: tuple[str, ...]) -> tuple[Import, ...]:
    return tuple(dict.fromkeys(Names(parsed(text), package_parts).used()))


def imports_of(path: Path, package_parts: tuple[str, ...]) -> tuple[Import, ...]:
    """Everything that one file takes from elsewhere, by its full name."""
    return used_in(path.read_text(), package_parts)


def files_of(root: Path, package: str) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Each file of a package with its room (first name below the package) and its own package."""
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        yield path, parts[1], parts[:-1]


def broken_room_rules(root: Path) -> list[str]:
    """Say each import between rooms of one package that does not point down."""
    found = []
    for package, rules in (("collector", COLLECTOR), ("verify_analytics", TOOLKIT)):
        rooms = {path.stem for path in (root / package).iterdir()}
        for path, room, package_parts in files_of(root, package):
            # The collector's rooms without an entry stand above those with one; DOORWAY keeps their order.
            allowed = set[str]() if room == "__init__" else rules.get(room)
            for name, line in imports_of(path, package_parts):
                parts = name.split(".")
                if parts[0] != package or len(parts) < 2 or parts[1] not in rooms or parts[1] in {room, "__init__"}:
                    continue
                if allowed is not None and parts[1] not in allowed:
                    found.append(f"{path.relative_to(root)}:{line} {package}.{room} imports {package}.{parts[1]}")
    return found


# Above the collector's small rooms the order is a line: each may import only what stands before it.
DOORWAY = [
    *("reach", "doctor", "verifications", "door", "replay", "kept", "erasure", "backups", "migrate"),
    *("metrics", "routes", "app", "channel", "serve", "__main__"),
]


def broken_doorway_rules(root: Path) -> list[str]:
    """Say each import that climbs from the collector's inner rooms towards its commands."""
    found = []
    for path, room, package_parts in files_of(root, "collector"):
        if room not in DOORWAY:
            continue
        above = set(DOORWAY[DOORWAY.index(room) + 1 :])
        found += [
            f"{path.relative_to(root)}:{line} imports {name}, which stands above it"
            for name, line in imports_of(path, package_parts)
            if name.split(".")[0] == "collector" and len(name.split(".")) > 1 and name.split(".")[1] in above
        ]
    return found


def broken_listing_rules(root: Path) -> list[str]:
    """Say each room that no table knows, and that therefore might import anything."""
    known = {"collector": {*COLLECTOR, *DOORWAY, "__init__"}, "verify_analytics": {*TOOLKIT, "__init__"}}
    return [
        f"{path.relative_to(root)}: {room} stands in no table of this file"
        for package, rooms in known.items()
        for path, room, _ in files_of(root, package)
        if room not in rooms
    ]


# What a side of the house must not know: the package, the rooms it holds for (none named: all), the modules, and why.
FORBIDDEN: list[tuple[str, set[str], set[str], str]] = [
    ("collector", set(), {"verify_analytics"}, "the two packages share a table and no import"),
    ("verify_analytics", set(), {"collector"}, "the two packages share a table and no import"),
    ("collector", set(), HEAVY, "the collector stays small"),
    ("collector", set(), {"sqlalchemy.orm"}, "rows are written with SQLAlchemy Core"),
    ("verify_analytics", set(), {"sqlalchemy.orm"}, "rows are read with SQLAlchemy Core"),
    ("collector", set(), {"flask.session"}, "a session is a verification of one recipient"),
    ("verify_analytics", {"stats"}, {"pandas", "narwhals", "duckdb", "polars"}, "stats knows arrays only"),
    ("verify_analytics", {"charts"}, {"narwhals", "duckdb", "polars"}, "charts draw and do not compute"),
    ("verify_analytics", set(), {"matplotlib.pyplot"}, "pyplot keeps a hidden state; use Figure"),
]


def is_in(name: str, modules: set[str]) -> bool:
    """Say whether a module, or one it lies in, is among these."""
    return any(name == module or name.startswith(module + ".") for module in modules)


def broken_package_rules(root: Path) -> list[str]:
    """Say each import of a package that this side of the house must not know."""
    found = set()
    for package in ("collector", "verify_analytics"):
        for path, room, package_parts in files_of(root, package):
            for name, line in imports_of(path, package_parts):
                where = f"{path.relative_to(root)}:{line} imports {name}"
                for owner, rooms, modules, why in FORBIDDEN:
                    if owner == package and (not rooms or room in rooms) and is_in(name, modules):
                        found.add(f"{where}: {why}")
                homes = HOMES.get(name.split(".")[0])
                if package == "collector" and homes and room not in homes:
                    found.add(f"{where}: its one home is {sorted(homes)}")
    return sorted(found)


def broken_reading_rules(root: Path) -> list[str]:
    """Say each place that reads the wall clock or the environment without being the one that may."""
    found = []
    for package in ("collector", "verify_analytics"):
        for path, _, package_parts in files_of(root, package):
            where = path.relative_to(root).as_posix()
            for name, line in imports_of(path, package_parts):
                if where not in CLOCK_READERS and is_in(name, CLOCK):
                    found.append(f"{where}:{line} reads the clock: {name}")
                if where not in ENVIRONMENT_READERS and is_in(name, ENVIRONMENT):
                    found.append(f"{where}:{line} reads the environment: {name}")
                if name in {f"{module}.*" for module in STARRED}:
                    found.append(f"{where}:{line} takes all of {name[:-2]}, the clock or the environment with it")
            if where not in CLOCK_READERS:
                found += [f"{where}:{line} reads the clock" for line in clock_calls(parsed(path.read_text()))]
    return found


def clock_calls(tree: ast.Module) -> Iterator[int]:
    """Find calls that ask for the present, by their name or by the word that pandas and numpy take for it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        named = isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_CALLS
        if named or any(isinstance(a, ast.Constant) and a.value in ("now", "today") for a in node.args):
            yield node.lineno


def broken_naming_rules(root: Path) -> list[str]:
    """Say each import by a name that cannot be read in the text."""
    found = []
    for package in ("collector", "verify_analytics"):
        for path, _, package_parts in files_of(root, package):
            where = path.relative_to(root).as_posix()
            names = Names(parsed(path.read_text()), package_parts)
            found += [
                f"{where}:{node.lineno} imports what only a run can tell"
                for node in ast.walk(names.tree)
                if isinstance(node, ast.Call) and names.full_names(node.func) & IMPORTERS and not names.full_names(node)
                if where not in UNNAMED_IMPORTS
            ]
    return found


CHECKS = [
    broken_room_rules,
    broken_doorway_rules,
    broken_listing_rules,
    broken_package_rules,
    broken_reading_rules,
    broken_naming_rules,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_project_keeps_the_rule(check, root):  # type: ignore[no-untyped-def]
    assert check(root) == []


BREACHES = [
    *(("collector", f"{room}.py", "from collector import routes", broken_room_rules) for room in sorted(COLLECTOR)),
    *(
        ("verify_analytics", f"{room}/x.py", "def f():\n    from ..cli import main", broken_room_rules)
        for room in sorted(set(TOOLKIT) - {"cli"})
    ),
    ("verify_analytics", "metrics/x.py", "from verify_analytics.charts import delivery_rate", broken_room_rules),
    ("verify_analytics", "charts/x.py", "import verify_analytics.metrics", broken_room_rules),
    ("verify_analytics", "simulate/x.py", "from verify_analytics import model", broken_room_rules),
    ("verify_analytics", "cli.py", "from verify_analytics import notebook", broken_room_rules),
    ("verify_analytics", "report/x.py", "from ..notebook import show", broken_room_rules),
    ("verify_analytics", "stats/x.py", "from ..model import attempts", broken_room_rules),
    *(("collector", f"{low}.py", f"from .{high} import x", broken_doorway_rules) for low, high in pairwise(DOORWAY)),
    ("collector", "wire.py", "import verify_analytics", broken_package_rules),
    ("verify_analytics", "load.py", "if True:\n    import collector.wire", broken_package_rules),
    *(("collector", "wire.py", f"import {name}", broken_package_rules) for name in sorted(HEAVY)),
    *(("collector", "wire.py", f"import {name}", broken_package_rules) for name in sorted(HOMES)),
    ("collector", "store.py", "from sqlalchemy.orm import Session", broken_package_rules),
    ("collector", "routes.py", "from flask import session", broken_package_rules),
    ("verify_analytics", "stats/x.py", "import pandas", broken_package_rules),
    ("verify_analytics", "charts/x.py", "import narwhals as nw", broken_package_rules),
    ("verify_analytics", "charts/x.py", "from matplotlib import pyplot", broken_package_rules),
    ("collector", "writer.py", "import time\nx = time.time()", broken_reading_rules),
    ("collector", "door.py", "from datetime import datetime, UTC\nx = datetime.now(UTC)", broken_reading_rules),
    ("verify_analytics", "model/x.py", "import pandas as pd\nx = pd.Timestamp.now()", broken_reading_rules),
    ("verify_analytics", "load.py", "import os\nx = os.environ['A']", broken_reading_rules),
    ("collector", "app.py", "import os\nx = os.getenv('A')", broken_reading_rules),
    ("collector", "writer.py", "from time import time\nx = time()", broken_reading_rules),
    ("collector", "writer.py", "from time import time_ns as t\nx = t()", broken_reading_rules),
    ("collector", "writer.py", "import time as clock\nx = clock.time()", broken_reading_rules),
    ("collector", "writer.py", "from datetime import datetime as D\nx = D.now()", broken_reading_rules),
    ("collector", "writer.py", "import datetime as d\nx = d.date.today()", broken_reading_rules),
    ("collector", "writer.py", "from time import *\nx = time()", broken_reading_rules),
    ("collector", "writer.py", "import time\nclock = time\nx = clock.time()", broken_reading_rules),
    ("collector", "writer.py", "import time\nx = getattr(time, 'time')()", broken_reading_rules),
    ("collector", "writer.py", "def f(kind):\n    return kind.utcnow()", broken_reading_rules),
    ("collector", "writer.py", "import pandas as pd\nx = pd.Timestamp('now')", broken_reading_rules),
    ("collector", "writer.py", "x = __import__('time').time()", broken_reading_rules),
    ("collector", "writer.py", "from os import environ", broken_reading_rules),
    ("collector", "writer.py", "from os import getenv as g", broken_reading_rules),
    ("collector", "writer.py", "import os as o\nx = o.environ['A']", broken_reading_rules),
    ("collector", "writer.py", "import os as o\nx = getattr(o, 'environ')", broken_reading_rules),
    ("collector", "writer.py", "from os import *", broken_reading_rules),
    ("collector", "writer.py", "import importlib\nx = importlib.import_module('os').environ", broken_reading_rules),
    (
        "verify_analytics",
        "load/x.py",
        "import importlib\nimportlib.import_module('collector.wire')",
        broken_package_rules,
    ),
    (
        "verify_analytics",
        "load/x.py",
        "from importlib import import_module as m\nm('collector.wire')",
        broken_package_rules,
    ),
    ("verify_analytics", "load/x.py", "__import__('collector.wire')", broken_package_rules),
    ("collector", "store.py", "import sqlalchemy as sa\nx = sa.orm.Session", broken_package_rules),
    ("collector", "wire.py", "import importlib\nimportlib.import_module('.routes', 'collector')", broken_room_rules),
    ("collector", "__init__.py", "from collector import routes", broken_room_rules),
    ("verify_analytics", "load/x.py", "import importlib\nx = importlib.import_module(name)", broken_naming_rules),
    ("collector", "wire.py", "x = __import__(name)", broken_naming_rules),
    ("collector", "novel.py", "", broken_listing_rules),
    ("verify_analytics", "novel/x.py", "", broken_listing_rules),
]


@pytest.mark.parametrize(("package", "file", "text", "check"), BREACHES)
def test_a_tree_that_breaks_the_rule_is_caught(package, file, text, check, tmp_path):  # type: ignore[no-untyped-def]
    for name, rooms in (("collector", [*COLLECTOR, *DOORWAY]), ("verify_analytics", [*TOOLKIT])):
        (tmp_path / name).mkdir()
        for room in rooms:
            (tmp_path / name / f"{room}.py").touch()
    target = tmp_path / package / file
    target.parent.mkdir(exist_ok=True)
    assert check(tmp_path) == []
    target.write_text(text)
    assert check(tmp_path) != []
