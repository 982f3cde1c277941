"""Run of the checkout on pages: judgement by model, times that MLflow kept, and never at work."""

from __future__ import annotations

from dataclasses import replace

import yaml

from components.dashboard.drawing import Drawer
from components.dashboard.site import Site
from components.lib.history.facts import ModelFacts, ModelOutcome
from tests.dashboard.world import World, text
from tests.lib.history.trainings import BEGIN, stage, training


def judged(model: str, outcome: ModelOutcome) -> ModelFacts:
    return ModelFacts(
        model=model, outcome=outcome, method="m", metric="iou", score=0.5, low=None, high=None,
        confidence=None, simulated=True,
    )  # fmt: skip


def squeezed(page: str) -> str:
    return " ".join(page.split())


def test_models_that_were_judged_differently_are_told_apart(empty: World, drawer: Drawer) -> None:
    models = {
        "stormsight-optical": judged("stormsight-optical", "promoted"),
        "stormsight-sar": judged("stormsight-sar", "refused"),
    }
    run = training(stage("promote", run="checkout"), run="checkout", key="", promoted=True, models=models)
    site = Site(replace(empty.read(), runs=[run]), drawer)
    for address in ("", "runs.html", "run/checkout.html", "cost.html"):
        page = squeezed(text(site, address))
        assert '<span class="state state-good">promoted</span> <span class="soft">optical</span>' in page
        assert '<span class="state state-bad">refused</span> <span class="soft">sar</span>' in page


def test_the_end_of_a_checkout_is_called_that_of_its_last_training(empty: World, drawer: Drawer) -> None:
    models = {"stormsight-sar": judged("stormsight-sar", "promoted")}
    own = training(stage("promote", run="checkout"), run="checkout", key="", promoted=True, models=models)
    stored = training(stage("promote"), run="one", models=models)
    page = text(Site(replace(empty.read(), runs=[own]), drawer), "runs.html")
    assert "end of its last training in MLflow" in page
    assert "end of its last training" not in text(
        Site(replace(empty.read(), runs=[stored]), drawer), "runs.html"
    )
    page = text(Site(replace(empty.read(), runs=[own]), drawer), "run/checkout.html")
    assert f"the first started {BEGIN:%Y-%m-%d %H:%M} UTC, the last ended" in page


def test_a_checkout_without_a_decision_is_not_finished(empty: World, drawer: Drawer) -> None:
    lock = {"stages": {"a": {"cmd": "c", "outs": [{"path": "data/a", "md5": "0"}]}}}
    (empty.checkout / "dvc.lock").write_text(yaml.safe_dump(lock))
    site = Site(empty.read(), drawer)
    for address in ("", "runs.html", "run/checkout.html"):
        page = text(site, address)
        assert "not finished" in page
        assert "at work since" not in page
        assert "not recorded acquisitions" not in squeezed(page).replace('</span> <span class="soft">', " ")
