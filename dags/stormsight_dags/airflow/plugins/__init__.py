"""Plugins of Airflow's own pages; ``AIRFLOW__CORE__PLUGINS_FOLDER`` names this folder."""
