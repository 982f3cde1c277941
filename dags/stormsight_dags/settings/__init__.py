"""Settings of an installation: the deployment file, and ``orchestration`` of ``params.yaml``.

``STORMSIGHT_DEPLOYMENT`` names the deployment file (``k8s/overlays/*/deployment.yaml``). Without it the DAGs
run in local mode: stages are processes of this machine and their state lies below ``var/``. Nothing here is
secret: credentials come by reference (Kubernetes Secrets) or from the environment of Airflow itself.
"""
