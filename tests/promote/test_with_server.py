"""Against a real MLflow server process, with the real fresh process, through the command registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import GateRefusedError, MissingInputError
from components.lib.tracking.parameters import TrackingParameters
from components.promote.__main__ import main
from components.promote.buildings import decide_buildings
from components.promote.outcomes import require_promotion
from components.promote.reproduce import Reproduction, reproduce
from components.promote.scores import CleanTestScores
from tests.lib.tracking.local_store import local_store
from tests.mlflow_server import running
from tests.promote.world import AIRBORNE, FINDS, settings, write_control, write_model

SAR = "stormsight-sar"
RECORD = Path("reports/promote")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server, named by the environment."""
    with running(tmp_path, local_store(tmp_path / "server")) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


def test_the_commands_promote_roll_back_and_tell_the_history(
    server: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two fresh processes run here, one per model."""
    write_control()
    write_model(checkout / "models/adapted", 5.0)
    write_model(checkout / "models/optical/deeplabv3plus", 5.0, sensors=(AIRBORNE,), modality="optical")
    main([])
    document = json.loads((checkout / "reports/promote/decision.json").read_text())
    assert {name: part["outcome"] for name, part in document["models"].items()} == {
        "stormsight-optical": "promoted",
        "stormsight-sar": "promoted",
    }
    for part, tiles in ((document["models"]["stormsight-optical"], 6), (document["models"][SAR], 12)):
        assert f"reproduced all counts of {tiles} tiles exactly" in str(part["decision"]["checks"])

    write_model(checkout / "models/adapted", FINDS)
    in_this_process = replace(
        settings(TrackingParameters()), reproducer=lambda *_: Reproduction(True, "assumed")
    )
    assert decide_buildings(in_this_process, (SAR,))["models"][SAR]["outcome"] == "promoted"
    main(["verify"])
    main(["rollback", "--reason", "drill"])
    main(["history"])
    told = capsys.readouterr().out
    assert "stormsight-sar: ledger of 2 entries is whole" in told
    assert "stormsight-sar: version 1 is champion again instead of version 2" in told
    assert "stormsight-sar: champion is version 1" in told
    assert "stormsight-optical: champion is version 1" in told
    with pytest.raises(MissingInputError, match="stormsight-optical has no earlier champion"):
        main(["rollback", "--model", "stormsight-optical"])
    assert not (checkout / "var/mlflow.db").exists()


def test_a_refusal_fails_the_command_only_when_asked() -> None:
    promoted, refused = {"outcome": "promoted"}, {"outcome": "refused"}
    require_promotion({"models": {"stormsight-optical": promoted, SAR: promoted}}, RECORD)
    with pytest.raises(GateRefusedError, match="refused: stormsight-sar"):
        require_promotion({"models": {"stormsight-optical": promoted, SAR: refused}}, RECORD)


def test_what_the_fresh_process_cannot_score_is_told(checkout: Path) -> None:
    told = reproduce(checkout / "models/none", CleanTestScores((), (), None), "cpu")
    assert not told.passed
    assert "a fresh process could not score it: error: " in told.words
    assert "model.json is missing" in told.words
