"""Arrows point down only: which room may import which, who may read the clock and who the environment.

Each rule is shown twice: the project keeps it, and a small tree that breaks it is caught.
"""

import ast
from collections.abc import Iterator
from functools import cache
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
    "signature": {"form"},
    "values": {"errors", "signature"},
    "envfile": {"errors"},
    "settings": {"errors", "envfile", "values"},
    "wire": {"form", "digits", "moments"},
    "recipient": {"digits"},
    "items": set[str](),
    "setup": {"errors"},
    "engines": {"errors"},
    "store": {"errors", "engines", "wire"},
    "migrations": {"errors", "engines", "store"},
    "ledger": {"items", "logs", "store"},
    "pulse": {"store"},
    "status": {"errors", "store", "pulse"},
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
    "demo": {"errors", "model", "stats", "load", "metrics", "charts", "report", "simulate"},
    "cli": {"errors", "model", "stats", "load", "metrics", "charts", "report", "simulate", "demo"},
}
HEAVY = {"pandas", "numpy", "duckdb", "matplotlib", "narwhals", "polars", "pyspark", "adbc_driver_sqlite"}
# Third-party packages with one home: where they may be imported in the collector.
HOMES = {"pyarrow": {"archive"}, "alembic": {"migrations", "migrate"}, "psycopg": {"store"}}
CLOCK_READERS = {"collector/routes.py", "collector/__main__.py", "verify_analytics/cli.py"}
ENVIRONMENT_READERS = {"collector/settings.py", "verify_analytics/cli.py"}
CLOCK = {"now", "utcnow", "today", "time", "time_ns", "gmtime", "localtime"}
CLOCK_OWNERS = {"datetime", "date", "time", "Timestamp", "dt", "_time", "_datetime"}


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


def imports_of(path: Path, package_parts: tuple[str, ...]) -> Iterator[Import]:
    """Every import of one file, relative ones made absolute; imports inside functions and under `if` count too."""
    for node in ast.walk(parsed(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package_parts[: len(package_parts) - node.level + 1]) if node.level else []
            stem = ".".join(base + ([node.module] if node.module else []))
            yield Import(stem, node.lineno)
            yield from (Import(f"{stem}.{alias.name}", node.lineno) for alias in node.names)


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
            # Rooms without an entry stand above all others (commands, app, routes); ROUTES_UP keeps their order.
            allowed = rules.get(room)
            for name, line in imports_of(path, package_parts):
                parts = name.split(".")
                if parts[0] != package or len(parts) < 2 or parts[1] not in rooms or parts[1] in {room, "__init__"}:
                    continue
                if allowed is not None and parts[1] not in allowed:
                    found.append(f"{path.relative_to(root)}:{line} {package}.{room} imports {package}.{parts[1]}")
    return found


# Above the collector's small rooms the order is a line: each may import only what stands before it.
DOORWAY = ["verifications", "door", "replay", "metrics", "routes", "app", "serve", "__main__"]


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
        for path, _, _ in files_of(root, package):
            where = path.relative_to(root).as_posix()
            for node in ast.walk(parsed(path.read_text())):
                if not isinstance(node, ast.Attribute):
                    continue
                owner = node.value
                owner_name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                if node.attr in CLOCK and owner_name in CLOCK_OWNERS and where not in CLOCK_READERS:
                    found.append(f"{where}:{node.lineno} reads the clock: {owner_name}.{node.attr}")
                asks_environment = owner_name == "os" and node.attr in {"environ", "getenv", "environb"}
                if asks_environment and where not in ENVIRONMENT_READERS:
                    found.append(f"{where}:{node.lineno} reads the environment")
    return found


CHECKS = [broken_room_rules, broken_doorway_rules, broken_package_rules, broken_reading_rules]


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
]


@pytest.mark.parametrize(("package", "file", "text", "check"), BREACHES)
def test_a_tree_that_breaks_the_rule_is_caught(package, file, text, check, tmp_path):  # type: ignore[no-untyped-def]
    for name in ("collector", "verify_analytics"):
        (tmp_path / name).mkdir()
        for room in [*COLLECTOR, *DOORWAY, *TOOLKIT]:
            (tmp_path / name / f"{room}.py").touch()
    target = tmp_path / package / file
    target.parent.mkdir(exist_ok=True)
    assert check(tmp_path) == []
    target.write_text(text)
    assert check(tmp_path) != []
