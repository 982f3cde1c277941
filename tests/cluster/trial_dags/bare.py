"""One bare pod, to show that the lab works and what a pod costs without anything of ours."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

SETTINGS = yaml.safe_load(Path(os.environ["STORMSIGHT_DEPLOYMENT"]).read_text())["kubernetes"]

with DAG("trial_bare_pod", schedule=None, catchup=False):
    KubernetesPodOperator(
        task_id="bare",
        name="bare",
        namespace=SETTINGS["namespace"],
        image=SETTINGS["images"]["data"],
        cmds=["python3", "-c", "print('hello from a pod')"],
        deferrable=False,
        do_xcom_push=False,
        automount_service_account_token=False,
    )
