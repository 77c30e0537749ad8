"""A report can be made again, and is then the same to the byte; its manifest says of what it was made."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from verify_analytics import report
from verify_analytics.report.manifest import command
from verify_analytics.report.study import Options, study

AS_OF = "2026-10-29T00:00Z"


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_same_rows_give_the_same_bytes_from_another_place_in_another_order(
    tables: dict[str, pd.DataFrame], built: Path, tmp_path: Path
) -> None:
    """The second store keeps rows in another order, and has received more since then."""
    later = (
        tables["callbacks"]
        .tail(5)
        .assign(arrival_id=[f"later-{number}" for number in range(5)], received_at=pd.Timestamp("2026-10-29T00:02Z"))
    )
    shuffled = {name: table.sample(frac=1, random_state=3) for name, table in tables.items()}
    grown = {**shuffled, "callbacks": pd.concat([later, shuffled["callbacks"]])}
    archive = tmp_path / "elsewhere"
    for name, table in grown.items():
        for number, part in enumerate((table.iloc[::2], table.iloc[1::2])):
            day = archive / name / f"day=2026-10-{27 + number}"
            day.mkdir(parents=True)
            part.to_parquet(day / "part.parquet", index=False)
    page = report.build(archive.rename(tmp_path / "callbacks.parquet"), as_of=AS_OF, out=tmp_path / "again")
    assert bytes_of(page.parent) == bytes_of(built)


def test_the_manifest_names_every_file_by_its_digest(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text(encoding="utf-8"))
    found = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in bytes_of(built).items()}
    found.pop("manifest.json")
    assert manifest["files"] == found


def test_the_manifest_names_its_inputs_by_a_digest_anyone_can_work_out(
    built: Path, tables: dict[str, pd.DataFrame]
) -> None:
    manifest = json.loads((built / "manifest.json").read_text(encoding="utf-8"))
    rows = sorted(zip(tables["callbacks"]["arrival_id"], tables["callbacks"]["digest"], strict=True))
    text = "".join(f"{arrival}\t{digest}\n" for arrival, digest in rows)
    expected = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert manifest["inputs"]["callbacks"] == {"rows": len(rows), "digest": expected}
    assert manifest["inputs"]["verifications"]["rows"] == len(tables["verifications"])
    assert manifest["inputs"]["pulse"]["rows"] == len(tables["pulse"])


def test_the_manifest_says_how_and_with_what_and_not_when_or_where(built: Path) -> None:
    text = (built / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert manifest["command"] == "verify-analytics report callbacks.parquet --as-of 2026-10-29T00:00Z --out DIR"
    assert manifest["as_of"] == "2026-10-29T00:00Z"
    assert {"verify-analytics", "duckdb", "matplotlib", "narwhals", "pandas"} <= set(manifest["versions"])
    assert str(built.parent) not in text
    assert not {"time", "date", "generated", "host"} & set(manifest)


class Asked:
    """As much of a study as the command needs."""

    as_of = pd.Timestamp("2026-10-29T00:00:01.5Z")
    since = pd.Timestamp("2026-10-01T00:00Z")
    patience_seconds = 900.0
    window_seconds = 600.0
    options = Options()


def test_the_command_hides_what_leads_to_a_database() -> None:
    said = command(Asked(), "postgresql+psycopg://reader:hush@db.internal:5432/verify")  # type: ignore[arg-type]
    assert said == (
        "verify-analytics report postgresql:…/verify --as-of 2026-10-29T00:00:01.500000Z "
        "--since 2026-10-01T00:00Z --out DIR"
    )


@pytest.mark.parametrize("name", ["index.html", "charts/retries.svg", "tables/retries.csv"])
def test_no_file_names_the_place_it_was_made_in(built: Path, name: str) -> None:
    assert str(built.parent) not in (built / name).read_text(encoding="utf-8")


def test_the_command_names_a_patience_and_a_window_that_are_not_the_usual_ones() -> None:
    asked = Asked()
    asked.patience_seconds, asked.window_seconds = 1800.0, 90.0
    said = command(asked, "callbacks.parquet")  # type: ignore[arg-type]
    assert said.endswith("--patience 1800s --window 90s --out DIR")


# In every run `tests/test_old_readings.py` shows the like.
@pytest.mark.full
def test_what_the_collector_did_after_as_of_changes_nothing(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    """The minute that begins at `as_of` is written when it is over: a store cut there equals one that went on."""
    as_of = pd.Timestamp("2026-10-28T12:00Z")
    cut = {
        "callbacks": tables["callbacks"][tables["callbacks"]["received_at"] <= as_of],
        "verifications": tables["verifications"][tables["verifications"]["received_at"] <= as_of],
        "pulse": tables["pulse"][tables["pulse"]["minute"] < as_of],
    }
    went_on = {**tables, "pulse": tables["pulse"].assign(refused=7)}
    went_on["pulse"].loc[went_on["pulse"]["minute"] < as_of, "refused"] = 0
    cut["pulse"] = cut["pulse"].assign(refused=0)
    for name, made in (("cut", cut), ("on", went_on)):
        (tmp_path / name).mkdir()
        for table, rows in made.items():
            rows.to_parquet(tmp_path / name / f"{table}.parquet", index=False)
    cut_off, grown = (
        study(
            str(tmp_path / name / "callbacks.parquet"),
            as_of=as_of.to_pydatetime(),
            since=None,
            patience="15min",
            window="10min",
            say=lambda _: None,
        )
        for name in ("cut", "on")
    )
    assert (cut_off.facts, cut_off.doubts) == (grown.facts, grown.doubts)
    for name, frame in cut_off.frames.items():
        pd.testing.assert_frame_equal(frame, grown.frames[name])
    assert cut_off.change is not None
    assert grown.change is not None
    pd.testing.assert_frame_equal(cut_off.change.rows, grown.change.rows)


def test_the_command_names_what_else_was_asked(built: Path) -> None:
    asked = Asked()
    asked.options = Options(min_cell=10, number_blocks=True)
    assert command(asked, "callbacks.parquet").endswith("--min-cell 10 --number-blocks --out DIR")  # type: ignore[arg-type]
    manifest = json.loads((built / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["min_cell"], manifest["number_blocks"]) == (0, False)
