"""The command verify-analytics: what goes wrong is told in one sentence, with status 2 and never a traceback."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from collector.engines import writer_engine
from collector.store import initialise
from verify_analytics import load, simulate
from verify_analytics.cli import main

AS_OF = "2026-10-29T00:00Z"


def run(*words: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], env=env)


def sentences(stderr: str) -> list[str]:
    """What a command said but its progress, which is indented."""
    return [line for line in stderr.splitlines() if line.strip() and not line.startswith("  ")]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the things that people point a command at by mistake."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.db").write_text("this is no database")
    (tmp_path / "empty folder").mkdir()
    engine = writer_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    initialise(engine)
    engine.dispose()
    shutil.copy(Path(__file__).parents[2] / "data" / "sample" / "callbacks.parquet", tmp_path / "sample.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "columns.parquet")
    (tmp_path / "lines.jsonl").write_text("not json\n")
    (tmp_path / "empty.env").write_text("PLIVO_AUTH_TOKEN_FILE=empty\n")
    (tmp_path / "empty").touch()
    (tmp_path / "odd.env").write_text("no equals sign\n")
    (tmp_path / "gone.env").write_text("PLIVO_AUTH_TOKEN_FILE=secrets/gone\n")
    (tmp_path / "token").write_text("\n")
    (tmp_path / "new.env").write_text("PLIVO_AUTH_TOKEN_FILE=token\n")
    (tmp_path / "blank.env").write_text("PLIVO_AUTH_TOKEN=\n")
    (tmp_path / "unnamed.env").write_text("PLIVO_AUTH_TOKEN_FILE=\n")
    return tmp_path


MISTAKES = [
    # what is typed, and what the sentence must say
    ("report nowhere.db --as-of {as_of} --out out", ["nowhere.db"]),
    ("report text.db --as-of {as_of} --out out", ["text.db"]),
    ("report empty.db --as-of {as_of} --out out", ["empty.db"]),
    ("report postgresql://127.0.0.1:1/x --as-of {as_of} --out out", ["127.0.0.1"]),
    ("report nosuch://x --as-of {as_of} --out out", ["nosuch"]),
    ("report empty.db --as-of {as_of} --out nowhere/out", ["nowhere"]),
    ("report sample.parquet --as-of {as_of} --out out --patience soon", ["patience", "soon"]),
    ("report columns.parquet --as-of {as_of} --out out", ["columns.parquet", "no column 'arrival_id'", "Known: a"]),
    ("report empty\\ folder --as-of {as_of} --out out", ["empty folder", "callbacks"]),
    ("report nowhere.db --as-of 2026-10-29 --out out", ["--as-of", "time zone", "2026-10-29T00:00Z"]),
    ("report nowhere.db --as-of yesterday --out out", ["--as-of", "yesterday", "2026-10-29T00:00Z"]),
    ("report nowhere.db --as-of {as_of} --since 2026-10-01 --out out", ["--since", "time zone"]),
    ("report sample.parquet --as-of 9999-12-31T23:59:59-12:00 --out out", ["--as-of", "9999", "before 2100"]),
    ("report sample.parquet --as-of 0001-01-01T00:00+12:00 --out out", ["--as-of", "0001", "after 1999"]),
    ("report sample.parquet --as-of {as_of} --since 1999-12-31T23:59Z --out out", ["--since", "after 1999"]),
    ("simulate --sessions 5 --seed 1 --out c.jsonl --end 2026-10-29", ["--end", "time zone"]),
    ("simulate --sessions 5 --seed 1 --out c.jsonl --end 9999-12-31T23:00Z", ["--end", "before 2100"]),
    ("simulate --sessions 5 --seed 1 --out c.jsonl --end 0001-01-02T23:00Z", ["--end", "after 1999"]),
    ("simulate --sessions 5 --seed 1 --out nowhere/c.jsonl", ["nowhere"]),
    ("simulate --sessions 5 --seed 1", ["--out", "--archive"]),
    ("simulate --sessions 5 --seed 1 --archive .", ["something else than an archive"]),
    ("simulate --sessions 5 --seed 1 --archive a --out c.jsonl --env-file nowhere.env", ["nowhere.env"]),
    ("simulate --sessions 5 --seed 1 --out c.jsonl --env-file nowhere.env", ["nowhere.env"]),
    ("simulate --sessions 5 --seed 1 --out c.jsonl --env-file odd.env", ["line 1", "odd.env", "NAME=value"]),
    ("simulate --sessions 5 --seed 1 --out c.jsonl --env-file gone.env", ["secrets/gone"]),
    (
        "simulate --sessions 5 --seed 1 --out c.jsonl --env-file empty.env",
        ["empty.env", "PLIVO_AUTH_TOKEN", "the file empty "],
    ),
    ("report sample.parquet --as-of {as_of} --out out --patience 99999999999d", ["patience", "366 days"]),
    ("report sample.parquet --as-of {as_of} --out out --window 367d", ["window", "366 days"]),
    ("simulate --sessions 5 --seed 1 --out c.jsonl --env-file blank.env", ["PLIVO_AUTH_TOKEN", "blank.env"]),
    ("send nowhere.jsonl --to http://127.0.0.1:1", ["nowhere.jsonl", "simulate"]),
    ("send lines.jsonl --to http://127.0.0.1:1", ["line 1"]),
]


@pytest.mark.parametrize(("typed", "words"), MISTAKES, ids=[typed for typed, _ in MISTAKES])
def test_a_mistake_is_told_in_one_sentence(typed: str, words: list[str], elsewhere: Path) -> None:
    parts = typed.format(as_of=AS_OF).replace("\\ ", "\0").split(" ")
    result = run(*(part.replace("\0", " ") for part in parts))
    assert result.exit_code == 2, result.output
    (sentence,) = sentences(result.stderr)
    assert sentence.startswith("Error: ")
    assert all(word in sentence for word in words), sentence
    assert not (elsewhere / "out").exists()
    assert not (elsewhere / "c.jsonl").exists()
    assert not (elsewhere / "a").exists()


@pytest.mark.parametrize(
    "typed", ["frob", "report", "simulate --sessions 0", "simulate --sessions many", "send x --speed 0"]
)
def test_a_wrong_word_is_told_with_status_2(typed: str) -> None:
    result = run(*typed.split())
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_a_mistake_leaves_no_word_of_the_engine(elsewhere: Path) -> None:
    """In a process of its own: an engine may still have something to say when Python ends."""
    simulate.history(20, seed=1, end=pd.Timestamp(AS_OF).to_pydatetime()).frames()["callbacks"].drop(
        columns="channel"
    ).to_parquet(elsewhere / "callbacks.parquet")
    command = [sys.executable, "-m", "verify_analytics.cli", "report", "callbacks.parquet", "--as-of", AS_OF]
    done = subprocess.run([*command, "--out", "out"], capture_output=True, text=True, check=False, cwd=elsewhere)
    assert done.returncode == 2
    (sentence,) = sentences(done.stderr)
    assert "no column 'channel'" in sentence


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("Query interrupted")], ids=["Python", "DuckDB"])
def test_an_interruption_ends_in_one_line_whoever_notices_it(
    error: BaseException, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("verify_analytics.report.build", interrupted)
    result = run("report", "sample.parquet", "--as-of", AS_OF, "--out", "out")
    assert result.exit_code == 130
    assert sentences(result.stderr) == ["Interrupted: nothing half-written is left."]


@pytest.mark.parametrize("bytes_left", [0, 5000])
def test_a_damaged_part_of_an_archive_ends_in_one_sentence(bytes_left: int, elsewhere: Path) -> None:
    done = run("simulate", "--archive", "archive", "--sessions", "50", "--seed", "1", "--as-of", AS_OF)
    assert done.exit_code == 0, done.stderr
    part = max(elsewhere.glob("archive/callbacks/*/*.parquet"))
    part.write_bytes(part.read_bytes()[:bytes_left])
    result = run("report", "archive", "--as-of", AS_OF, "--out", "out")
    assert result.exit_code == 2
    (sentence,) = [line for line in sentences(result.stderr) if line.startswith("Error")]
    assert "day=" in sentence
    assert "collector archive --verify" in sentence


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        words: list[str | Path] = ["--sessions", "40", "--seed", "3", "--out", tmp_path / f"{name}.jsonl"]
        assert run("simulate", *words, "--truth", tmp_path / f"{name}.parquet").exit_code == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_collectors_own_settings_sign_a_history(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_text("a-token-from-a-file\n")
    (tmp_path / "collector.env").write_text(
        "# settings\nPLIVO_AUTH_TOKEN_FILE=secrets/token\nCOLLECTOR_PUBLIC_URL=https://a.example.org/hook\n"
    )
    out = tmp_path / "c.jsonl"
    words: list[str | Path] = ["--sessions", "5", "--seed", "1", "--out", out, "--env-file", tmp_path / "collector.env"]
    result = run("simulate", *words)
    assert result.exit_code == 0
    assert "a-token-from-a-file" not in result.output + out.read_text()
    assert "https://a.example.org/hook" in out.read_text()
    assert "simulator's own token" not in result.output


def test_a_token_of_the_environment_stands_in_for_an_empty_one(elsewhere: Path) -> None:
    words = "simulate --sessions 5 --seed 1 --out c.jsonl --env-file new.env"
    result = run(*words.split(), env={"PLIVO_AUTH_TOKEN": "a-token-from-the-environment"})
    assert result.exit_code == 0, result.output
    assert "simulator's own token" not in result.output


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, verify_analytics.cli as c; c.main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1]
    assert not [name for name in ("pandas", "numpy", "duckdb", "matplotlib", "pyarrow") if f"'{name}'" in modules]


def test_the_package_itself_imports_nothing_heavy() -> None:
    code = "import sys, verify_analytics; print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"pandas", "numpy", "duckdb", "matplotlib", "narwhals", "pyarrow", "sqlalchemy", "pyspark", "click"}
    assert heavy & set(ast.literal_eval(said)) == set()


@pytest.mark.usefixtures("undrawn")
def test_a_report_of_a_csv_file_says_what_was_left_out(tmp_path: Path) -> None:
    calls = tmp_path / "calls.csv"
    calls.write_text(
        "session_id,received_at,attempt_id,attempt_sequence,channel,channel_status,brand\n"
        "s1,2026-09-01T12:00Z,a1,1,sms,delivered,x\n"
        "s2,some day,a2,1,sms,delivered,x\n"
    )
    done = CliRunner().invoke(
        main, ["report", str(calls), "--as-of", "2026-09-02T00:00Z", "--out", str(tmp_path / "r")]
    )
    assert done.exit_code == 0, done.output
    assert "note: callbacks: left out 1 rows (received_at cannot be read), columns that were not asked" in done.stderr


def test_an_archive_is_written_and_a_second_one_is_not_written_over_it(tmp_path: Path) -> None:
    words = f"simulate --sessions 60 --seed 3 --days 2 --archive {tmp_path / 'a'}".split()
    written = run(*words)
    assert written.exit_code == 0, written.output
    told = re.fullmatch(r".*a: ([\d,]+) callbacks and ([\d,]+) reports in (\d+) files\n", written.stdout)
    assert told is not None
    assert len(load.callbacks(tmp_path / "a")) == int(told[1].replace(",", ""))
    again = run(*words)
    assert again.exit_code == 2
    (sentence,) = sentences(again.stderr)
    assert f"holds an archive of {told[1]} callbacks" in sentence
