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
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n{}\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{}\n-----END PGP PRIVATE KEY BLOCK-----",
    '{{"key": "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n"}}',
    "aws configure set aws_secret_access_key {}",
    "aws_session_token  {}",
    "machine host login me password {}",
    "mc alias set lab --secret-key {} --api s3v4",
    "Command '['mc', '--secret-key', '{}']' returned 1",
    '["--password", "{}"]',
    "('AWS_SECRET_ACCESS_KEY', '{}')",
    "Secret access key: {}",
    "headers: {{b'x-api-key': b'{}'}}",
    '{{"spec": "{{\\"password\\": \\"{}\\"}}"}}',
    'password="a \\" {}"',
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
    "Endpoint=sb://a/;SharedAccessKeyName=k;SharedAccessKey={}",
    "Driver=x;Uid=me;Pwd={};",
    "AIRFLOW__CORE__FERNET_KEY={}",
    "client-key-data: {}",
    "https://me:{}@host:8080/path",
    "postgresql://me:p@{}@db/mlflow",
    "s3://AK:a/{}@minio:9000/bucket",
    "https://hooks.slack.com/services/T000/B000/{}",
    "https://discord.com/api/webhooks/1234/{}",
    "https://example.webhook.office.com/webhookb2/a/IncomingWebhook/{}",
    "https://api.telegram.org/bot{}/sendMessage",
    "STORMSIGHT_NOTICE_URL=https://example.com/{}",
    "Set-Cookie: session={}; Path=/",
]
"""Texts that carry a credential at ``{}``."""

RANDOM_SECRETS = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=16, max_size=44
).filter(lambda text: any(c.isdigit() for c in text))
"""Credentials as generators make them: 16 letters and digits at least."""

KEY_BODY = st.lists(st.text("ABCDEFabcdef0123456789+/", min_size=20, max_size=64), min_size=1, max_size=12)
"""Lines between the beginning and the end of a private key."""

WORDS = st.lists(
    st.sampled_from(
        [
            *("strip", "tile", "loss", "INFO", "key", "keys", "the", "is", "missing", "token", "secret"),
            *(
                "20190804_1",
                "0.31",
                "31%",
                "(tile_7)",
                "[base]",
                "'data'",
                '"x"',
                "champion=abc12345",
                "run:",
            ),
            *("s3://stormsight/pipeline/runs/a", "http://mlflow:5000/#/models", "/app/params.yaml", "a@b"),
            *("stormsight-s3", "2026-11-20T13:11:20", "sha256:0123456789abcdef0123456789abcdef"),
            "registry.example.com:5000/stormsight-data@sha256:0123456789abcdef",
        ]
    ),
    max_size=12,
).map(" ".join)
"""Text of ordinary logs, words for credentials included."""

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
        "the password is wrong; AWS_SECRET_ACCESS_KEY is not set",
        "password authentication failed for user mlflow",
        "the api key of stormsight-s3 was refused",
        "PWD=/home/me; key=abc; training_key=0123abcd",
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


@given(WORDS)
def test_text_without_secrets_passes_unchanged(text: str) -> None:
    assert redact(text, {}) == text


@given(st.sampled_from(CARRIERS), RANDOM_SECRETS, WORDS, WORDS)
def test_a_random_secret_never_appears(carrier: str, secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}\n{carrier.format(secret)}\n{after}", {})


@given(KEY_BODY)
def test_a_private_key_whose_beginning_was_cut_off_is_masked(body: list[str]) -> None:
    text = "\n".join([*body, "-----END PRIVATE KEY-----", "loss 0.31"])
    shown = redact(text, {})
    assert not [line for line in body if line in shown]
    assert shown.endswith("loss 0.31")


@given(KEY_BODY, st.sampled_from(["{}", "{!r}"]))
def test_values_of_several_lines_are_masked_by_line_too(body: list[str], shown_as: str) -> None:
    value = "\n".join(body)
    environment = {"DEPLOY_PRIVATE_KEY": value}
    shown = redact(f"read {shown_as.format(value)} and {body[0]} alone", environment)
    assert not [line for line in body if line in shown]


def test_values_of_secret_variables_are_masked_as_urls_write_them() -> None:
    assert redact("to me:p%40ss%2Fw0rd", {"DB_PASSWORD": "p@ss/w0rd"}) == "to me:***"


@pytest.mark.parametrize(
    "text",
    [
        *(piece * (50_000 // len(piece)) for piece in ("a.", "token", " ", "://a:", "-", "A" * 17 + "\n")),
        *(piece * 2_000 for piece in ("password ", "https://", "-----BEGIN PRIVATE KEY-----", "A")),
    ],
    ids=lambda text: text[:12].strip() or "space",
)
def test_no_text_is_slow_to_redact(text: str) -> None:
    assert isinstance(redact(text, {}), str)


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


NAMES = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "MY_TOKEN",
    "DB_PASSWORD",
    "api-key",
    "GPG_PASSPHRASE",
    "STORMSIGHT_NOTICE_URL",
    "FERNET_KEY",
    "AccountKey",
]


@pytest.mark.parametrize("name", [*NAMES, "AWS_CREDENTIALS", "SSH_PRIVATE", "DB_PASSWD"])
def test_names_of_secrets(name: str) -> None:
    assert names_a_secret(name)
    assert holds_a_secret(name, "")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "OMP_NUM_THREADS", "STORMSIGHT_OBJECTS"])
def test_names_of_plain_settings(name: str) -> None:
    assert not names_a_secret(name)
    assert not holds_a_secret(name, "s3://stormsight/pipeline")
    assert holds_a_secret(name, "http://me:pw@mlflow:5000")
