"""What the project says of itself: no machine's paths, no registry's address, no number of a person."""

import re
import subprocess
from pathlib import Path

import pytest

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "a registry's host": "|".join(
        ["pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.(?:org|com)", "deb" + r"\.debian\.org"]
    ),
    "one machine's path": r"(?<![\w.$}>-])/(?:" + "|".join(["work", "root", "farm", "home/[a-z]"]) + r")/",
    "a private key": "BEGIN (?:RSA |EC |OPENSSH )?" + "PRIVATE KEY",
}


def tracked(root: Path) -> list[Path]:
    """Every text file that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [root / name for name in listed.split("\0") if name and not name.endswith((".png", ".parquet"))]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str, root: Path) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
        for path in tracked(root)
        if path.exists()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
