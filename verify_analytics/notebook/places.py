"""Where is a file that a notebook names? In a notebook's own folder, or in the project's root: both are tried."""

from pathlib import Path

NOTEBOOKS = "notebooks"


def root() -> Path:
    """Find the project's root: the nearest folder, from here upwards, that holds ``notebooks/``; else where we are."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / NOTEBOOKS).is_dir()), here)


def found(named: str) -> str:
    """Find a store that is named by a path, as the notebook or the root would name it; a URL of a server stays.

    What is not found is given back as it came, so that loading can say what is there.
    """
    scheme, address, rest = named.partition("://")
    if address and not scheme.startswith("sqlite"):
        return named
    path = Path(rest.removeprefix("/")) if address else Path(named).expanduser()
    if address and rest.startswith("//"):
        return named
    for base in (Path.cwd(), root(), root() / NOTEBOOKS):
        there = base / path
        if there.exists():
            return f"{scheme}:///{there}" if address else str(there)
    return named


def target(named: str) -> Path:
    """Say which folder is meant to be written to: relative paths are meant from the project's root."""
    path = Path(named).expanduser()
    return path if path.is_absolute() else root() / path
