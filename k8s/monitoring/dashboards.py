"""Render Grafana's dashboards from dashboards.yaml, one JSON file each, by the types that Grafana publishes.

    .venv/bin/python k8s/monitoring/dashboards.py        # writes dashboards/*.json

The builders of ``grafana-foundation-sdk`` hold the JSON to Grafana's schema (10.1; newer ones migrate it).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FOLDER = Path(__file__).resolve().parent
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHTS = {"stat": 4, "timeseries": 8, "table": 8}
GRID = 24

Panel = stat.Panel | table.Panel | timeseries.Panel


def main() -> int:
    """Write one file for each dashboard."""
    (FOLDER / "dashboards").mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / "dashboards" / f"{name}.json").write_text(text, "utf-8")
    return 0


def rendered() -> dict[str, str]:
    """Return the JSON of each dashboard by its name."""
    declared = yaml.safe_load((FOLDER / "dashboards.yaml").read_text("utf-8"))
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {name: encoder.encode(dashboard(name, said).build()) + "\n" for name, said in declared.items()}


def dashboard(name: str, said: dict[str, Any]) -> Dashboard:
    """Return the builder of one dashboard; its address in Grafana is ``/d/stormsight-NAME``."""
    built = (
        Dashboard(said["title"])
        .uid(f"stormsight-{name}")
        .description(said["text"])
        .tags(["stormsight"])
        .timezone("browser")
        .time("now-7d", "now")
        .refresh("1m")
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            DashboardLink("stormsight")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["stormsight"])
            .as_dropdown(True)
            .keep_time(True)
        )
    )
    number = 0
    for row in said["rows"]:
        number += 1
        built = built.with_row(Row(row["title"]).id(number))
        for entry in row["panels"]:
            number += 1
            built = built.with_panel(panel(entry).id(number))
    return built


def panel(said: dict[str, Any]) -> Panel:
    """Return the builder of one panel."""
    built = {"stat": _stat, "timeseries": _timeseries, "table": _table}[said["kind"]](said)
    for number, (expression, legend) in enumerate(said["queries"]):
        built = built.with_target(query(said["kind"], expression, legend).ref_id(chr(ord("A") + number)))
    return (
        built.title(said["title"])
        .description(said["text"])
        .no_value(said["none"])
        .unit(said["unit"])
        .datasource(SOURCE)
        .height(HEIGHTS[said["kind"]])
        .span(said.get("width", GRID // 2))
    )


def query(kind: str, expression: str, legend: str) -> Dataquery:
    """Return the builder of one query: the present value for a stat or table, a range for a graph."""
    built = Dataquery().expr(expression).legend_format(legend)
    if kind == "table":
        return built.instant().format(PromQueryFormat.TABLE)
    return built.instant() if kind == "stat" else built.range()


def _stat(said: dict[str, Any]) -> Panel:
    names = BigValueTextMode.VALUE_AND_NAME if said.get("names") else BigValueTextMode.AUTO
    last = ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().graph_mode(BigValueGraphMode.NONE).text_mode(names).reduce_options(last)


def _timeseries(said: dict[str, Any]) -> Panel:
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    tooltip = VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    return timeseries.Panel().legend(legend.show_legend(True)).tooltip(tooltip).fill_opacity(5)


def _table(said: dict[str, Any]) -> Panel:
    return table.Panel().show_header(True)


if __name__ == "__main__":
    sys.exit(main())
