"""What the report says of how the results came about."""

from __future__ import annotations

from pathlib import Path

from components.evaluate.narrative import definitions
from components.evaluate.subjects import Subject
from components.evaluate.summary import Result, condense, metrics_document
from components.lib.config.scoring import ScoringSettings
from components.lib.scoring.score import score_model
from components.lib.store.store import Store
from tests.evaluate.conftest import PARAMETERS, SETTINGS
from tests.evaluate.worlds import AIRBORNE, Contoured, Pointwise, touching_boxes, write_tiny_store

WATERSHED = SETTINGS.model_copy(update={"vectorise": "watershed"})


def results(store: Store, settings: ScoringSettings, *nets: Pointwise) -> list[Result]:
    made = []
    for number, net in enumerate(nets):
        scores = score_model(net, store, sensor=AIRBORNE, rows=[0, 1], settings=settings)
        subject = Subject(
            model=f"m{number}", role="student", what="", net=net, sensor=AIRBORNE, statistics_of=AIRBORNE
        )
        made += condense(subject, scores, PARAMETERS)
    return made


def words(settings: ScoringSettings, found: list[Result], term: str) -> str:
    return dict(definitions(PARAMETERS, settings, found))[term]


def test_it_says_what_drew_the_polygons(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=8, boxes_of=touching_boxes)
    mixed = results(store, WATERSHED, Contoured(), Pointwise())
    text = words(WATERSHED, mixed, "Polygons")
    assert "seeds above 0.75 of at least 110 px (m0)" in text
    assert "no contour head (m1)" in text
    document = metrics_document(mixed, {}, simulated=True)["models"]
    assert document["m0"][AIRBORNE]["sn6-clean"]["vectorise"] == "watershed"
    assert document["m1"][AIRBORNE]["sn6-clean"]["vectorise"] == "plain"
    assert "All models alike" in words(WATERSHED, mixed[:2], "Polygons")
    assert words(SETTINGS, results(store, SETTINGS, Contoured()), "Polygons").startswith("Around")


def test_it_says_which_views_were_averaged() -> None:
    def told(scales: tuple[float, ...], flip: bool) -> str:
        return words(SETTINGS.model_copy(update={"scales": scales, "flip": flip}), [], "Views")

    assert told((1.0,), False) == "Every model sees every tile once, as it is."
    assert "as it is and in the left-right mirror; the probabilities are averaged" in told((1.0,), True)
    assert "at scales 0.8, 1, 1.5, each in the left-right mirror too;" in told((0.8, 1.0, 1.5), True)
    assert "at scales 0.8;" not in told((0.8,), False)
    assert "at scales 0.8." in told((0.8,), False)
