"""Credentials are masked wherever they stand; ordinary text stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.redaction import holds_a_secret, names_a_secret, redact, redact_values

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"

CARRIERS = [
    "AWS_SECRET_ACCESS_KEY={}",
    "export MLFLOW_TRACKING_PASSWORD='{}'",
    '{{"aws_secret_access_key": "{}", "region": "eu"}}',
    "'api-key' => {}",
    "aws_session_token: {}",
    "deploy_private={}",
    "postgresql+psycopg2://airflow:{}@db:5432/airflow",
    "https://{}@host/repository.git",
    "https://bucket.s3.amazonaws.com/a?X-Amz-Credential={}&X-Amz-Signature=beef&x=1",
    "https://bucket.s3.amazonaws.com/a?X-Amz-Signature={}&x=1",
    "https://bucket.s3.amazonaws.com/a?X-Amz-Security-Token={}",
    "https://host/a?token={}",
    "Authorization: AWS4-HMAC-SHA256 Credential={}, Signature=beef",
    "Authorization: AWS4-HMAC-SHA256 Credential=AK, Signature={}",
    "authorization: Basic {}",
    "curl -H 'authorization: Bearer {}'",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\nbeef\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n{}\ncut off here",
]
"""Texts that carry a credential at ``{}``."""

SECRETS = st.from_regex(r"[A-Za-z0-9]{3}[A-Za-z0-9+=._~-]{6,30}[A-Za-z0-9]", fullmatch=True)
TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_credentials_are_masked(carrier: str) -> None:
    secret = SECRET.replace("/K7", "K7") if "@" in carrier else SECRET
    shown = redact(carrier.format(secret), {})
    assert secret[:8] not in shown
    assert "***" in shown


@given(st.sampled_from(CARRIERS), SECRETS, TEXTS, TEXTS)
def test_credentials_are_masked_in_any_surroundings(
    carrier: str, secret: str, before: str, after: str
) -> None:
    hidden = f"{secret}-kept-nowhere-else"
    assert hidden not in redact(f"{before} {carrier.format(hidden)} {after}", {})


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "xoxb-123456789012-abcdefghijkl",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
    ],
)
@pytest.mark.parametrize("before", [" ", "é", "("])
def test_keys_of_known_shape_are_masked_anywhere(token: str, before: str) -> None:
    assert token not in redact(f"signed in with{before}{token}, then left", {})


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
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text, {}) == text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text, {}), {}) == redact(text, {})


@given(SECRETS, TEXTS, TEXTS)
def test_values_of_secret_variables_are_masked_anywhere(secret: str, before: str, after: str) -> None:
    hidden = f"{secret}-kept-nowhere-else"
    assert hidden not in redact(before + hidden + after, {"DB_PASSWORD": hidden})


def test_the_longest_of_nested_values_goes_first_and_short_ones_stay() -> None:
    environment = {"A_TOKEN": "correct", "B_TOKEN": "correct-horse", "C_TOKEN": "the", "PLAIN": "battery"}
    assert redact("the correct-horse battery", environment) == "the *** battery"


def test_json_values_are_redacted_by_name_and_by_shape() -> None:
    values = {
        "message": "no answer from https://me:pw@host",
        "db_password": "short",
        "parts": [{"token": "x"}, 7, None],
    }
    assert redact_values(values) == {
        "message": "no answer from https://***@host",
        "db_password": "***",
        "parts": [{"token": "***"}, 7, None],
    }


NAMES = ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "MY_TOKEN", "DB_PASSWORD", "api-key", "GPG_PASSPHRASE"]


@pytest.mark.parametrize("name", [*NAMES, "AWS_CREDENTIALS", "SSH_PRIVATE", "DB_PASSWD"])
def test_names_of_secrets(name: str) -> None:
    assert names_a_secret(name)
    assert holds_a_secret(name, "")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "OMP_NUM_THREADS", "STORMSIGHT_OBJECTS"])
def test_names_of_plain_settings(name: str) -> None:
    assert not names_a_secret(name)
    assert not holds_a_secret(name, "s3://stormsight/pipeline")
    assert holds_a_secret(name, "http://me:pw@mlflow:5000")
