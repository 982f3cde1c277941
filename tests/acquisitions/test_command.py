"""``python -m components.acquisitions`` as an orchestrator and a person call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.acquisitions.__main__ import main
from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.objects.opening import open_objects
from components.lib.operations.operations import Operations
from tests.acquisitions.releases import land, release, strip_of_day


def command(folder: Path, *arguments: str) -> tuple[int, str, dict[str, object]]:
    """Exit code, what it printed, and its report."""
    repository = Path(__file__).parents[2]
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "components.acquisitions", *arguments],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("STORMSIGHT")},
            "PYTHONPATH": str(repository),
            "STORMSIGHT_REPORT": str(report),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    told = json.loads(report.read_text()) if report.exists() else {}
    return done.returncode, done.stdout + done.stderr, told


def test_land_register_list_withdraw(tmp_path: Path) -> None:
    land_one = (
        "land",
        "--id",
        "revisit-1",
        "--seed",
        "3",
        "--tile-px",
        "64",
        "--sensor",
        "simulated-spaceborne",
    )
    assert command(tmp_path, "register")[0] == 99
    code, text, _ = command(tmp_path, *land_one)
    assert code == 0, text
    assert "landed revisit-1: 12 tiles, 26 files" in text
    code, text, report = command(tmp_path, "register")
    assert (code, report) == (0, {"class": "ok", "result": {"registered": ["revisit-1"]}}), text
    code, text, report = command(tmp_path, "register")
    assert (code, report["class"]) == (99, "nothing_to_do"), text
    code, text, _ = command(tmp_path, "withdraw", "revisit-1", "--reason", "clouds")
    assert (code, text) == (0, "withdrew revisit-1\n")
    code, text, _ = command(tmp_path, "list")
    assert "withdrawn" in text
    assert "clouds" in text
    assert command(tmp_path, *land_one)[0] == 78
    Operations(open_objects(str(tmp_path / "var" / "objects"))).verify()


def test_a_rejection_is_a_failure_once(tmp_path: Path) -> None:
    landing = open_objects(str(tmp_path / "var" / "landing"))
    land(landing, "bad", tiles=7)
    code, text, report = command(tmp_path, "register")
    assert (code, report["class"]) == (65, "bad_data")
    assert "2 SAR tiles are listed, tiles says 7" in text
    assert "next step:" in text
    assert command(tmp_path, "register")[0] == 99
    land(landing, "good", release(strip=strip_of_day(9)))
    land(landing, "worse", tiles=8)
    (tmp_path / "var" / "landing" / "two\nlines").mkdir()
    code, text, report = command(tmp_path, "register")
    assert code == 65, "rejections are told whatever else went well"
    assert "registered good" in text
    assert "2 acquisitions are rejected: acquisition 'two lines': the name" in str(report["message"])
    assert "tiles says 8" in str(report["message"])
    assert command(tmp_path, "register")[0] == 99


def test_a_rejection_whose_command_breaks_off_is_told_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first folder is rejected, then the process is killed; the second try tells the rejection."""
    landing = open_objects(str(tmp_path / "landing"))
    monkeypatch.setenv("STORMSIGHT_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(tmp_path / "objects"))
    land(landing, "bad", tiles=7)
    land(landing, "good", release(strip=strip_of_day(9)))

    def killed(self: Operations, *_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "register", killed)
        with pytest.raises(KeyboardInterrupt):
            main(["register"])
    with pytest.raises(BadDataError, match="tiles says 7"):
        main(["register"])
    assert "registered good" in capsys.readouterr().out
    assert main(["register"]) == 99


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("withdraw", "nobody", "--reason", "x"), "nobody is not registered"),
        (("withdraw", "nobody", "--reason", ""), "--reason is one line of 1 to 500 characters"),
        (("land", "--id", "No Id", "--seed", "1", "--tile-px", "64"), "--id 'No Id' is no id"),
        (("land", "--seed", "1", "--tile-px", "64", "--tiles", "3"), "--tiles: "),
        (("land", "--seed", "1", "--tile-px", "64", "--sensor", "radar"), "unknown sensor 'radar'"),
        (("land",), "params.yaml not found"),
        (("land", "--folder", "x"), "--title is missing"),
        (
            ("land", "--folder", "x", "--title", "t", "--licence", "l", "--credit", "c"),
            "there is no folder x",
        ),
    ],
)
def test_mistakes_are_told_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("STORMSIGHT_OBJECTS", "STORMSIGHT_LANDING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises((ParameterError, MissingInputError)) as caught:
        main(list(arguments))
    assert text in caught.value.message
    assert caught.value.next_step


def test_an_acquisition_lands_in_the_world_of_the_profile_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`STORMSIGHT_PROFILE=smoke make airflow` trains with small tiles: `make land` makes such tiles."""
    (tmp_path / "params.yaml").write_text(
        "profile: large\nworld: {seed: 3, tile_px: 128}\n"
        "profiles: {large: {}, small: {world: {tile_px: 64}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    land_one = ["land", "--sensor", "simulated-spaceborne", "--id"]
    monkeypatch.delenv("STORMSIGHT_PROFILE", raising=False)
    assert main([*land_one, "large"]) == 0
    monkeypatch.setenv("STORMSIGHT_PROFILE", "small")
    assert main([*land_one, "small"]) == 0
    sizes = {
        name: sum(
            path.stat().st_size for path in (tmp_path / "var/landing" / name).rglob("*SAR-Intensity*.tif")
        )
        for name in ("large", "small")
    }
    assert 0 < 3 * sizes["small"] < sizes["large"]
    monkeypatch.setenv("STORMSIGHT_PROFILE", "smal")
    with pytest.raises(ParameterError, match="'smal' is not declared") as caught:
        main([*land_one, "other"])
    assert "STORMSIGHT_PROFILE" in caught.value.next_step
