"""The README's road for operators ends at a report: it is walked as written, from an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = ("PLIVO_", "COLLECTOR_")


def test_no_traffic_yet(tmp_path: Path) -> None:
    (road,) = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    # Settings of whoever runs the tests would win over the folder's own.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for typed in ("collector init --public-host codes.example.com", road):
        done = subprocess.run(
            ["bash", "-e", "-c", typed], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "report" / "index.html").exists()
