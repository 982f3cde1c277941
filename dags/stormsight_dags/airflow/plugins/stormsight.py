"""Plugin that shows the dashboard among Airflow's pages."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from stormsight_dags.airflow.dashboard import PREFIX, airflow_guard, make_app, open_objects


class StormsightPlugin(AirflowPlugin):
    """The dashboard as an application and as an entry of the navigation."""

    name = "stormsight"
    fastapi_apps = [  # noqa: RUF012 - Airflow's own form
        {"app": make_app(airflow_guard(), open_objects), "url_prefix": PREFIX, "name": "Stormsight dashboard"}
    ]
    external_views = [  # noqa: RUF012 - as above
        {
            "name": "Stormsight",
            "href": f"{PREFIX.removeprefix('/')}/index.html",
            "destination": "nav",
            "url_route": "stormsight",
        }
    ]
