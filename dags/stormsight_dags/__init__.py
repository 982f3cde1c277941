"""What the DAG files share: the graph of dvc.yaml, its rendering, the pod operator and its failures."""
