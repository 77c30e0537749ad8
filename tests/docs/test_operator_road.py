"""The operators' roads are walked as they are written, each from an empty folder with `collector init` first."""

import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = ("PLIVO_", "COLLECTOR_")
# What the page tells an operator to have done by then.
TOKEN = "python3 -c 'import secrets; print(secrets.token_urlsafe(30))' > secrets/plivo_auth_token"
STORE = "collector replay /dev/null --env-file collector.env"


def road(document: str) -> str:
    """Give what a document has one type, in the order in which it stands there."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL))


def walk(folder: Path, *typed: str) -> str:
    # Settings of whoever runs the tests would win over the folder's own.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = ""
    for words in typed:
        done = subprocess.run(
            ["bash", "-e", "-c", words], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        said += done.stdout
    return said


# By default the demo, which goes most of this way, and the commands' own tests stand for it.
@pytest.mark.full
def test_the_readmes_road_ends_at_a_report(tmp_path: Path) -> None:
    walk(tmp_path, "collector init --public-host codes.example.com", road("README.md"))
    assert (tmp_path / "report" / "index.html").exists()


def test_the_road_of_operations_is_walked_to_its_end(tmp_path: Path) -> None:
    said = walk(tmp_path, "collector init --public-host codes.example.com", TOKEN, STORE, road("docs/operations.md"))
    assert "the copy is whole, and the peppers fit" in said
    assert "run it again with --yes" in said


@pytest.mark.parametrize("document", ["docs/collector.md"])
def test_the_report_of_success_that_the_page_signs_is_one_that_the_collector_takes(document: str) -> None:
    from collector import verifications

    (code,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    made: dict[str, object] = {}
    exec(compile(code, document, "exec"), made)
    body, signature, secret = made["body"], made["signature"], made["secret"]
    assert isinstance(body, bytes)
    assert isinstance(secret, bytes)
    assert isinstance(signature, str)
    assert signature == "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    report = {**json.loads(body), "session_id": "00000000-0000-4000-8000-000000000001"}
    body = json.dumps(report).encode()
    signed = [("X-Signature", "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest())]
    taken = verifications.read("POST", signed, body, 2**60, [secret])
    assert taken.session_id == report["session_id"]
