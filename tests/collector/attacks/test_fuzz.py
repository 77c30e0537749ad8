"""A fuzzer that sees which lines it reaches looks for an input that a reader answers with anything but its promise."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.collector.conftest import clean_environment

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 15


@pytest.mark.full
@pytest.mark.parametrize("name", ["signature", "form", "request", "capture"])
def test_no_input_that_a_fuzzer_finds_breaks_a_reader(name: str, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris has wheels for Linux on x86_64 alone; `fuzz.py` needs it")
    found = tmp_path / "found"
    found.mkdir()
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.collector.attacks.fuzz", name, str(found), str(CORPUS / name)),
            *("-seed=1", f"-max_total_time={SECONDS}", "-max_len=2048", "-timeout=10", f"-artifact_prefix={tmp_path}/"),
        ],
        env=clean_environment(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + 120,
        check=False,
    )
    inputs = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert (ran.returncode, inputs) == (0, {}), ran.stderr[-4_000:]
    # It did run, and reached what it is for.
    runs = [line for line in ran.stderr.splitlines() if line.startswith("Done ")]
    assert len(runs) == 1
    assert int(runs[0].split()[1]) > 500
    assert len(list(found.iterdir())) > 5


def test_every_target_has_seeds_and_every_seed_is_text_of_ours() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == {"signature", "form", "request", "capture"}
    for seed in CORPUS.glob("*/*"):
        assert seed.read_bytes().isascii()
