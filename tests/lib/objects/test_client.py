"""Settings of AWS that cannot be used are errors that name them."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.config import Config

from components.contract.errors import ParameterError
from components.lib.objects.client import aws_session, s3_client
from components.lib.objects.opening import open_objects


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    path.write_text("[default]\nregion = eu-west-1\n[profile weather]\nregion = eu-north-1\n")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
    return path


def test_an_unknown_profile_is_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "wether")
    with pytest.raises(
        ParameterError, match=r"AWS_PROFILE='wether'.* nearest valid one is 'weather'"
    ) as caught:
        open_objects("s3://bucket/prefix")
    assert "one of default, weather" in caught.value.next_step


def test_a_configuration_that_cannot_be_read_is_named(configuration: Path) -> None:
    configuration.write_text("[default\nregion")
    with pytest.raises(ParameterError, match="S3 cannot be used"):
        s3_client(aws_session(), Config())


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [("no region!", None), (None, "nonsense"), (None, "http://"), (None, "http://a b")],
)
def test_a_setting_that_boto3_refuses_is_named(region: str | None, endpoint: str | None) -> None:
    with pytest.raises(ParameterError, match="S3 cannot be used") as caught:
        s3_client(aws_session(), Config(), region=region, endpoint=endpoint)
    assert "download.endpoint_url" in caught.value.next_step


def test_a_store_that_names_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="it is a file, not a folder"):
        open_objects(str(tmp_path / "file"))
