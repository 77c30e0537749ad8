"""`collector archive` and its neighbours as an operator runs them, with an archive and without one."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from click.testing import CliRunner, Result

from collector.__main__ import main
from tests.collector.archive.tools import DAY, in_archive, manifest, other_rows, plain_row
from tests.collector.conftest import NUMBER, CollectorProcess, Provider, clean_environment
from tests.collector.records import OTHER_NUMBER, fill, line, settings_for
from tests.collector.test_turns import CLIENTS, Load

Make = Callable[..., CollectorProcess]
# Days that are over whatever the clock of this machine says.
LONG_AGO = -1_000 * DAY


def with_days(make_collector: Make, **settings: str) -> tuple[CollectorProcess, Path]:
    collector = make_collector(**settings)
    root = collector.folder / "archive"
    with collector.env_file.open("a") as file:
        file.write(f"COLLECTOR_ARCHIVE={root}\n")
    root.mkdir()
    made = settings_for(f"sqlite:///{collector.store}")
    for day in range(2):
        seconds = LONG_AGO + day * DAY
        fill(made, line(f"mine-{day}", seconds), line(f"theirs-{day}", seconds + 1, Recipient=OTHER_NUMBER))
    return collector, root


def run(collector: CollectorProcess, *words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, [*words, "--env-file", str(collector.env_file)], input=stdin)


def test_the_commands_say_what_is_done_and_end_in_peace(make_collector: Make) -> None:
    collector, root = with_days(make_collector)
    dry = run(collector, "archive", "--dry-run")
    assert dry.stdout.splitlines() == [
        "callbacks        4 of 2 days, 2023-12-06 to 2023-12-07",
        "verifications    0",
        "pulse            2 of 2 days, 2023-12-06 to 2023-12-07",
        "nothing was moved: run it again without --dry-run",
    ]
    assert list(root.iterdir()) == []
    ran = run(collector, "archive")
    assert (ran.exit_code, ran.stdout.splitlines()) == (
        0,
        ["callbacks        4", "verifications    0", "pulse            2", "parts            4"],
    )
    assert "  callbacks/day=2023-12-06/part-0001.parquet: 2 rows, out of the store\n" in ran.stderr
    assert collector.rows("SELECT count(*) FROM callbacks") == [(0,)]
    status = run(collector, "status").stdout
    assert re.search(
        rf"^archive +{root}, 2 days, latest 2023-12-07, oldest 2023-12-06, 4 callbacks, 0.0 MB in 4 parts$",
        status,
        re.MULTILINE,
    )
    verified = run(collector, "archive", "--verify")
    assert (verified.exit_code, verified.stdout.splitlines()[-1]) == (
        0,
        "archive          every part is as the manifest says",
    )
    doctor = run(collector, "doctor", "--no-request").stdout
    assert f"ok       archive   {root}, 2 days" in doctor
    erased = run(collector, "erase", "--yes", stdin=NUMBER)
    assert "in the archive   2 callbacks, 0 verifications, in 2 parts" in erased.stdout
    assert "the store's files and the archive hold no trace of it" in erased.stdout
    pruned = run(collector, "prune", "--older-than", "400d")
    assert re.search(r"^callbacks +2\n", pruned.stdout, re.MULTILINE)
    assert manifest(root)["parts"] == {}
    assert run(collector, "status").stdout.splitlines()[-1] == f"archive        {root}, empty"


def test_what_is_wrong_is_said_in_one_sentence_with_status_2(make_collector: Make) -> None:
    collector = make_collector()
    ran = run(collector, "archive")
    assert ran.exit_code == 2
    assert ran.stderr.startswith("Error: COLLECTOR_ARCHIVE is not set: give a folder for closed days")
    assert len(ran.stderr.splitlines()) == 1
    collector, root = with_days(make_collector, COLLECTOR_PORT="0")
    assert run(collector, "archive").exit_code == 0
    part = root / "callbacks" / "day=2023-12-06" / "part-0001.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    ran = run(collector, "archive", "--verify")
    assert (ran.exit_code, len(ran.stderr.splitlines())) == (2, 5)
    assert f"{part} is damaged" in ran.stderr.splitlines()[-1]
    root.rename(root.with_name("gone"))
    assert "failed   archive   there is no folder" in run(collector, "doctor", "--no-request").stdout
    assert "which is not there" in run(collector, "status").stdout
    assert run(collector, "archive").exit_code == 2


def test_doctor_names_what_hinders_an_archive(make_collector: Make) -> None:
    collector, root = with_days(make_collector)
    said = run(collector, "doctor", "--no-request").stdout
    assert "warning  archive   the store has callbacks of 2023-12-06: run `collector archive`" in said
    run(collector, "archive")
    (root / "callbacks" / "day=2023-12-06" / "x.parquet").touch()
    (root / "callbacks" / "day=2023-12-06" / "part-0001.parquet").unlink()
    said = run(collector, "doctor", "--no-request").stdout
    assert "failed   archive   callbacks/day=2023-12-06/part-0001.parquet is in the manifest and not there" in said
    assert "warning  archive   callbacks/day=2023-12-06/x.parquet is not in the manifest" in said
    (root / "manifest.json").write_text("x")
    assert "is no manifest of an archive" in run(collector, "doctor", "--no-request").stdout
    status = run(collector, "status")
    assert (status.exit_code, "is no manifest of an archive" in status.stdout.splitlines()[-1]) == (0, True)


def test_beside_a_server_under_load_every_answer_is_200_and_nothing_is_lost_or_there_twice(
    make_collector: Make,
) -> None:
    collector, root = with_days(make_collector)
    made = settings_for(f"sqlite:///{collector.store}")
    other_rows(made, [plain_row(number, LONG_AGO + number / 10) for number in range(3_000)])
    collector.start()
    with Load(collector).running() as load:
        ran = subprocess.run(
            collector.command("archive"), capture_output=True, env=clean_environment(), check=False, timeout=100
        )
        # What comes in meanwhile is of today, and no business of the archive's.
        assert ran.returncode == 0, ran.stderr
    assert set(load.answers) == {200}, load.answers
    assert len(load.acknowledged) > CLIENTS
    collector.end()
    held = Counter(row[0] for row in collector.rows("SELECT session_id FROM callbacks"))
    assert held == Counter(load.acknowledged)
    assert in_archive(root)["callbacks"].total() == 3_004
    assert set(in_archive(root)["callbacks"].values()) == {1}
    assert [event for event in collector.events() if event["event"] == "commit_failed"] == []


def test_no_file_of_an_archive_and_no_word_about_it_holds_a_number(make_collector: Make) -> None:
    collector = make_collector()
    root = collector.folder / "archive"
    root.mkdir()
    with collector.env_file.open("a") as file:
        file.write(f"COLLECTOR_ARCHIVE={root}\n")
    made = settings_for(f"sqlite:///{collector.store}")
    for number, name in enumerate(("SessionStatus", "Channel", "ChannelStatus", "AttemptUUID", "Recipient", "New")):
        body = urlencode(Provider.fields(f"s-{name}", **{name: f"+{NUMBER}"})).encode()
        fill(made, line(f"s-{name}", LONG_AGO + number, body=body))
    said = [run(collector, *words) for words in (["archive", "--dry-run"], ["archive"], ["archive", "--verify"])]
    said += [run(collector, "status"), run(collector, "doctor", "--no-request"), run(collector, "erase", stdin="1")]
    written = "".join(run.stdout + run.stderr for run in said)
    assert in_archive(root)["callbacks"].total() == 6
    # What Parquet has packed is searched as it is read.
    written += str(in_archive(root)) + (root / "manifest.json").read_text()
    assert NUMBER[-7:] not in written
    # The control: the same search finds what is there.
    assert "s-Recipient" in written


def test_what_cannot_be_done_is_said_by_a_dry_run_too(make_collector: Make) -> None:
    collector, root = with_days(make_collector)
    root.rmdir()
    for words in (["archive", "--dry-run"], ["archive"]):
        ran = run(collector, *words)
        assert ran.exit_code == 2
        assert f"there is no folder {root} for the archive: make it first" in ran.stderr


def test_a_folder_without_a_manifest_is_not_said_to_be_as_its_manifest_says(make_collector: Make) -> None:
    collector, root = with_days(make_collector)
    ran = run(collector, "archive", "--verify")
    assert ran.exit_code == 0
    assert f"{root} has no manifest: nothing was archived here yet" in ran.stdout


def test_to_verify_and_to_try_are_two_questions(make_collector: Make) -> None:
    collector, _ = with_days(make_collector)
    ran = run(collector, "archive", "--verify", "--dry-run")
    assert ran.exit_code == 2
    assert "give one of them" in ran.stderr
