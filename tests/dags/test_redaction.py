from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormsight_dags.redaction import names_a_secret, redact

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"


@pytest.mark.parametrize(
    "text",
    [
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"export MLFLOW_TRACKING_PASSWORD='{SECRET}'",
        f'{{"aws_secret_access_key": "{SECRET}", "region": "eu"}}',
        f"'api-key' => {SECRET}",
        f"aws_session_token: {SECRET}",
        f"postgresql+psycopg2://airflow:{SECRET}@db:5432/airflow".replace("/K7", "K7"),
        f"https://bucket.s3.amazonaws.com/a?X-Amz-Credential={SECRET}&X-Amz-Signature={SECRET}&x=1",
        f"https://host/a?token={SECRET}",
        f"Authorization: AWS4-HMAC-SHA256 Credential={SECRET}, Signature={SECRET}",
        f"curl -H 'authorization: Bearer {SECRET}'",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\ncut off here",
    ],
)
def test_credentials_go(text: str) -> None:
    shown = redact(text)
    for part in (SECRET, SECRET.replace("/K7", "K7"), SECRET[:8]):
        assert part not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "xoxb-123456789012-abcdefghijkl",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
    ],
)
def test_known_shapes_go_wherever_they_stand(token: str) -> None:
    assert token not in redact(f"signed in with {token}, then left")


@pytest.mark.parametrize(
    "text",
    [
        'Error: secret "stormsight-s3" not found',
        "0/2 nodes are available: 1 Insufficient nvidia.com/gpu.",
        "s3://stormsight/pipeline/runs/a/plan.json is missing",
        "strip 20190804_1 has 31 % no-data",
        "2026-11-20T13:11:20 INFO step 40: loss 0.31",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "MY_TOKEN", "DB_PASSWORD"])
def test_names_that_tell(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "OMP_NUM_THREADS", "STORMSIGHT_OBJECTS"])
def test_names_that_do_not(name: str) -> None:
    assert not names_a_secret(name)
