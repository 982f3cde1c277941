"""The airflow image: its database is made, every file in dags/ parses, and no component is in reach."""

from __future__ import annotations

import pkgutil
import sys

from checks import APP, absent, clean_tree, command, importable, say


def main() -> None:
    """Leave with an error at the first thing that does not work."""
    clean_tree()
    absent("torch", "components", "mlflow", "dvc", "pip")
    importable("airflow", "psycopg2", "boto3", "kubernetes")
    command("airflow", "version")
    command("airflow", "db", "migrate")
    modules()
    parse()


def modules() -> None:
    """Triggers and callbacks are imported by name, outside of any DAG file."""
    import stormsight_dags  # noqa: PLC0415

    importable(*(m.name for m in pkgutil.walk_packages(stormsight_dags.__path__, "stormsight_dags.")))


def parse() -> None:
    """Every DAG file gives DAGs and no import error."""
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
