# Run once by the image's entrypoint, when the data directory is empty. Passwords come from files: a command
# line or an environment would show them.
psql --set ON_ERROR_STOP=1 --username postgres --no-psqlrc <<'SQL'
\set mlflow_password `cat /run/secrets/postgres/mlflow-password`
\set airflow_password `cat /run/secrets/postgres/airflow-password`
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE mlflow FROM PUBLIC;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
SQL
