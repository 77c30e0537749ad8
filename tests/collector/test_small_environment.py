"""The collector serves from its own small environment: no pandas, no numpy, and a sentence for who asks for more."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest

TOKEN = "a-token-only-this-test-signs-with"


@pytest.fixture(scope="module")
def small(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment made from the collector's lock alone, and the project installed into it without dependencies."""
    folder = tmp_path_factory.mktemp("small") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        pytest.skip("no uv beside this Python, and pip would take minutes")
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    subprocess.run([*install, "--require-hashes", "-r", root / "requirements-collector.lock"], check=True)
    subprocess.run([*install, "--no-deps", root], check=True)
    return folder / "bin"


def test_it_holds_none_of_the_analysts_packages(small: Path) -> None:
    names = ["pandas", "numpy", "duckdb", "matplotlib", "narwhals", "pyarrow"]
    script = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    found = subprocess.run([small / "python", "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_it_takes_a_signed_callback(small: Path, tmp_path: Path) -> None:
    env_file = tmp_path / "collector.env"
    subprocess.run(
        [small / "collector", "init", "--env-file", env_file, "--public-host", "codes.example.com"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "secrets" / "plivo_auth_token").write_text(TOKEN)
    url = next(
        line.partition("=")[2] for line in env_file.read_text().splitlines() if line.startswith("COLLECTOR_PUBLIC_URL=")
    )
    serving = subprocess.Popen(
        [small / "collector", "serve", "--env-file", env_file],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "COLLECTOR_PORT": "0"},
    )
    try:
        assert serving.stderr is not None
        said = next(line for line in map(json.loads, serving.stderr) if line["event"] == "serving")
        nonce = "05429567804466091622"
        signed = hmac.new(TOKEN.encode(), (url + nonce).encode(), hashlib.sha256).digest()
        request = urllib.request.Request(
            f"http://127.0.0.1:{said['port']}/{url.split('/', 3)[3]}",
            urlencode({"SessionUUID": "s-1", "Channel": "sms", "ChannelStatus": "sent"}).encode(),
            {"X-Plivo-Signature-V2": base64.b64encode(signed).decode(), "X-Plivo-Signature-V2-Nonce": nonce},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
    finally:
        serving.terminate()
        assert serving.wait(15) == 0
        assert serving.stderr is not None
        serving.stderr.close()


def test_the_toolkit_says_what_to_install(small: Path) -> None:
    done = subprocess.run([small / "verify-analytics", "report", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install verify-analytics" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
