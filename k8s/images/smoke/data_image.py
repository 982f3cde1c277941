"""The data image: every command starts, and an acquisition goes through the stages that need no torch."""

from __future__ import annotations

from checks import absent, clean_tree, command, importable

COMPONENTS = ("download", "validate", "prepare")
STAGES = ("download@p00", "validate@p00", "verdict", "prepare@p00", "split")
SERVICES = ("acquisitions", "runs", "housekeeping")


def main() -> None:
    """Leave with an error at the first thing that does not work."""
    clean_tree()
    absent("torch", "airflow", "pip")
    importable(
        *("boto3", "dvc.repo", "dvc_s3", "flask_wtf", "great_expectations", "mlflow", "psycopg2"),
        *("rasterio", "skimage"),
    )
    for component in (*COMPONENTS, *SERVICES):
        command(f"components.{component}", "--help", quiet=True)
    command("mlflow", "server", "--help", quiet=True)
    command(
        "components.acquisitions", "land", "--id", "smoke", "--tiles", "12", "--tile-px", "256", "--seed", "7"
    )
    command("components.acquisitions", "register")
    command("components.runs", "plan", "--run", "smoke")
    for stage in STAGES:
        command("components.runs", "stage", stage, "--run", "smoke")


if __name__ == "__main__":
    main()
