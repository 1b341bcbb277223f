"""deploy/prometheus: the alerts, what they read, and what the runbook says of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.promtool import promtool
from tests.deploy.queries import existing, label_values_compared, metrics_in

ROOT = Path(__file__).parents[2]
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


def test_prometheus_takes_its_configuration_and_the_rules() -> None:
    promtool("check", "config", "deploy/prometheus/prometheus.yml")


def test_every_alert_fires_when_it_should_and_is_quiet_else() -> None:
    promtool("test", "rules", "tests/deploy/alerts.test.yml")


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = [
        case
        for test in yaml.safe_load((ROOT / "tests/deploy/alerts.test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    names = {alert["alert"] for alert in ALERTS}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


@every_alert
def test_an_alert_says_what_is_wrong_and_where_to_read_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook"} == set(alert["annotations"])
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = [line[3:] for line in (ROOT / page).read_text().splitlines() if line.startswith("## ")]
    assert alert["alert"] in headings
    assert anchor == alert["alert"].lower()


@every_alert
def test_an_alert_reads_metrics_that_exist(alert: dict[str, Any]) -> None:
    known = existing()
    assert metrics_in(alert["expr"]) <= known.keys()
    labels = {label for name in metrics_in(alert["expr"]) for label in known[name]} | {"job"}
    assert {label for label, _ in label_values_compared(alert["expr"])} <= labels


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    lines = (ROOT / "docs/runbook.md").read_text().splitlines()
    assert {line[3:] for line in lines if line.startswith("## ")} == {alert["alert"] for alert in ALERTS}


@every_alert
def test_the_runbook_says_what_an_alert_means_what_to_look_at_and_what_to_do(alert: dict[str, Any]) -> None:
    page = (ROOT / "docs/runbook.md").read_text()
    section = page.partition(f"## {alert['alert']}\n")[2].partition("\n## ")[0]
    places = [section.find(f"\n**{part}:** ") for part in ("Means", "Look at", "Do")]
    assert -1 not in places
    assert places == sorted(places)
    assert all(len(text.strip()) > 40 for text in section.split("**")[2::2])
