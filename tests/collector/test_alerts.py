"""Each alert fires on series that were recorded for it and is silent on others, and names figures that are there."""

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.bounds import QUARANTINE_BYTES, QUARANTINE_ROWS
from collector.metrics import REASONS
from tests.collector.conftest import CollectorProcess, Provider
from tests.collector.test_metrics import Watched

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
RECORDED = Path(__file__).parent / "data" / "alerts.yaml"


@cache
def rules() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


@cache
def recorded() -> dict[str, dict[str, list[dict[str, Any]]]]:
    return dict(yaml.safe_load(RECORDED.read_text()))


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = shutil.which("promtool")
    if command is None:
        pytest.skip("no promtool here; run.py installs it on Debian")
    return subprocess.run([command, *words], capture_output=True, text=True, check=False)


def test_the_rules_are_rules() -> None:
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules())} rules found" in checked.stdout


def unit_tests(name: str) -> dict[str, Any]:
    """Write what was recorded for one alert as promtool's unit tests."""
    rule = rules()[name]

    def expected(labels: dict[str, str] | None) -> list[dict[str, Any]]:
        if labels is None:
            return []
        return [{"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": rule["annotations"]}]

    return {
        "rule_files": [str(RULES)],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": series, "values": values} for series, values in case["series"].items()],
                "alert_rule_test": [
                    {"eval_time": at, "alertname": name, "exp_alerts": expected(case.get("labels"))}
                    for at in case["at"]
                ],
            }
            for case in [*recorded()[name]["fires"], *recorded()[name]["silent"]]
        ],
    }


@pytest.mark.parametrize("name", sorted(recorded()))
def test_an_alert_fires_when_it_should_and_only_then(name: str, tmp_path: Path) -> None:
    assert all("labels" in case for case in recorded()[name]["fires"])
    assert not any("labels" in case for case in recorded()[name]["silent"])
    (tmp_path / "test.yml").write_text(yaml.safe_dump(unit_tests(name), width=1_000))
    tested = promtool("test", "rules", tmp_path / "test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_was_recorded_firing_and_silent() -> None:
    assert sorted(recorded()) == sorted(rules())
    assert all(cases["fires"] and cases["silent"] for cases in recorded().values())


def test_the_alert_of_a_nearly_full_quarantine_tells_its_real_bounds() -> None:
    rule = rules()["CollectorQuarantineNearFull"]
    bounds = dict(re.findall(r"collector_quarantine_(\w+) > 0\.8 \* (\d+)", rule["expr"]))
    assert bounds == {"rows": str(QUARANTINE_ROWS), "bytes": str(QUARANTINE_BYTES)}
    assert f"at {QUARANTINE_ROWS} rows or {QUARANTINE_BYTES >> 20} MB" in rule["annotations"]["summary"]


@pytest.mark.parametrize("name", sorted(rules()))
def test_every_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    rule = rules()[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "runbook"}
    assert all(text.endswith(".") and "{{" not in text for text in rule["annotations"].values())


def test_every_figure_that_a_rule_names_is_in_a_real_scrape(make_collector: Callable[..., CollectorProcess]) -> None:
    watched = Watched(make_collector)
    watched.collector.post(Provider.fields("a"))
    figures = watched.until(lambda found: ("collector_quarantine_rows", ()) in found)
    there = {name for name, _ in figures}
    named = {name for rule in rules().values() for name in re.findall(r"\bcollector_\w+", rule["expr"])}
    assert len(named) > 8
    assert named - there == set()


def test_every_reason_that_a_rule_names_is_one() -> None:
    found = {
        reason
        for rule in rules().values()
        for words in re.findall(r'reason=~?"([^"]*)"', rule["expr"])
        for reason in words.split("|")
    }
    assert len(found) > 5
    assert found - set(REASONS["refused"]) == set()
