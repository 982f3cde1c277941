"""The neutral graph of ``dvc.yaml``: what DVC would run, without importing DVC."""

from __future__ import annotations

from stormsight_dags.graph.load import load_graph
from stormsight_dags.graph.model import Graph, GraphError, Parameter, Stage

__all__ = ["Graph", "GraphError", "Parameter", "Stage", "load_graph"]
