"""What an installation tells the DAGs: the deployment file, and ``orchestration`` of ``params.yaml``.

``STORMSIGHT_DEPLOYMENT`` names the deployment file (``k8s/overlays/*/deployment.yaml``). Without it the DAGs
run in local mode: stages are processes of this machine and their state lies below ``var/``. Nothing here is
secret: credentials come by reference (Kubernetes Secrets) or from the environment of Airflow itself.
"""

from __future__ import annotations

from stormsight_dags.settings.load import load_settings
from stormsight_dags.settings.model import Kubernetes, Orchestration, Settings, SettingsError

__all__ = ["Kubernetes", "Orchestration", "Settings", "SettingsError", "load_settings"]
