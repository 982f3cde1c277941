"""Smoke test of the airflow image: its database is made, every DAG file parses, no stage can be imported."""

from __future__ import annotations

import pkgutil
import sys

from checks import APP, absent, clean_tree, command, importable, say


def main() -> None:
    """Leave with an error at the first thing that does not work."""
    clean_tree()
    absent("torch", "mlflow", "dvc", "pip", "components.lib", "components.runs", "components.promote")
    importable("airflow", "psycopg2", "boto3", "kubernetes")
    command("airflow", "version")
    command("airflow", "db", "migrate")
    modules()
    parse()


def modules() -> None:
    """Import every module: triggers and callbacks are imported by name, outside of any DAG file."""
    import components.contract  # noqa: PLC0415
    import stormsight_dags  # noqa: PLC0415

    for package in (components.contract, stormsight_dags):
        importable(*(m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")))


def parse() -> None:
    """Parse every DAG file: each gives a DAG and no import error."""
    from airflow.dag_processing.dagbag import BundleDagBag  # noqa: PLC0415

    bag = BundleDagBag(str(APP / "dags"), bundle_path=APP / "dags", bundle_name="dags-folder")
    if bag.import_errors:
        sys.exit("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    files = {path.name for path in (APP / "dags").glob("*.py")}
    silent = files - {str(dag.fileloc).rsplit("/", 1)[-1] for dag in bag.dags.values()}
    if silent or not files:
        sys.exit(f"no DAG came from {sorted(silent) or 'dags/'}")
    say(f"{len(bag.dags)} DAGs, {sum(len(dag.tasks) for dag in bag.dags.values())} tasks, no import error")


if __name__ == "__main__":
    main()
