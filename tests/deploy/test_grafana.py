"""deploy/grafana: the dashboard shows metrics that exist, from the data source that is set up."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from streams.metrics import Metrics
from tests.deploy.promtool import promtool
from tests.deploy.queries import existing, metrics_in

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy/grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards/livesegments.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_every_panel_reads_metrics_that_exist() -> None:
    asked = {name for query in QUERIES for name in metrics_in(query)}
    assert asked <= existing().keys()


def test_every_metric_of_our_own_is_on_the_dashboard() -> None:
    asked = {name for query in QUERIES for name in metrics_in(query)}
    shown = {name.removesuffix("_bucket") for name in asked}
    own = {declared.name for declared in Metrics().declared}
    assert own - shown == {"segments_build_info"}


def test_panels_use_the_data_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())
    (source,) = provisioned["datasources"]
    used = {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]}
    assert used == {source["uid"]}


def test_the_dashboard_is_where_grafana_looks_for_it() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    provisioned = yaml.safe_load((GRAFANA / "provisioning/dashboards/livesegments.yaml").read_text())
    (provider,) = provisioned["providers"]
    folder = provider["options"]["path"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in services["grafana"]["volumes"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/livesegments.json"


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or apart, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in PANELS)


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """As rules, since those promtool can read."""
    queries = [query.replace("$__rate_interval", "5m").replace("$segment", ".*") for query in QUERIES]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(path))
