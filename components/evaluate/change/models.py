"""Scores of a trained change model on the test pairs of its data set, and a sheet of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.contract.errors import BadDataError
from components.evaluate.change.doubts import doubts_of_pixels
from components.lib.change.inference import NetworkPredictor
from components.lib.change.nets.bundle import load_change_bundle
from components.lib.change.nets.config import ChangeConfig
from components.lib.change.nets.network import ChangeNetwork
from components.lib.change.pair import Pixels
from components.lib.change.scoring.protocols import PROTOCOLS, Probability, ScoringProtocol, score_split
from components.lib.change.scoring.scores import ChangeRules, ChangeScores
from components.lib.change.store.layout import LABEL, layer_name
from components.lib.change.store.store import PairStore
from components.lib.change.terms import CHANGED, UNKNOWN, Modality
from components.lib.files import require_input, write_json
from components.lib.methods.registry import load_change
from components.lib.report.panels import (
    Picture,
    difference_panel,
    sar_picture,
    save_sheet,
    squared,
    truth_panel,
)

SPLIT: Final = "test"
SHEET_ROWS: Final = 6
"""Pairs on the sheet: those with most change."""
SIDE_PX: Final = 320
"""Side of a picture on the sheet."""
_GAP: Final = 6
_HEADINGS: Final = ("before", "after", "truth", "white right, orange false, blue missed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFolders:
    """Folders of the evaluation of change models.

    Attributes:
        models: Folder with a model for each change method.
        stores: Folder with a store of pairs for each data set.
        out: Folder with the results of each change method.
    """

    models: Path = Path("models/change")
    stores: Path = Path("data/pairs")
    out: Path = Path("reports/evaluate_change")


def evaluate_model(
    method: str, folders: ChangeFolders, *, rules: ChangeRules, confidence: float, device: str
) -> dict[str, Any]:
    """Score one change model and write ``metrics.json``, ``details.json`` and ``sheet.png``.

    Its threshold is that of its configuration, chosen on validation pairs.

    Args:
        method: Change method; its model lies in ``models/change/<method>``.
        folders: Folders.
        rules: Matching of changed buildings, least area and tolerance.
        confidence: Confidence of the intervals over scenes.
        device: Device of the predictions.

    Returns:
        The content of ``details.json``.

    Raises:
        ParameterError: If there is no such change method.
        MissingInputError: If the model or its data set's store is missing.
        BadDataError: If one of them is damaged, or the data set has no test pair.
    """
    load_change(method)
    net = load_change_bundle(require_input(folders.models / method, made_by=f"change@{method}"), device)
    store = PairStore.open(require_input(folders.stores / net.config.before.sensor, made_by="pairs"))
    if not store.names(SPLIT):
        raise BadDataError(
            f"data set {store.facts.data_set} in {store.folder} has no pair in the split {SPLIT}",
            next_step="score a model of a data set with test pairs; see reports/pairs/*/details.json",
        )
    on_sheet, predicted = _most_changed(store), dict[str, Probability]()

    def keep(name: str, probability: Probability) -> None:
        if name in on_sheet:
            predicted[name] = probability

    scores = {
        protocol: _scores(net, store, protocol, rules, keep if protocol == "whole_tile" else None)
        for protocol in PROTOCOLS
    }
    details = {
        "method": method,
        "data_set": store.facts.data_set,
        "simulated": store.facts.simulated,
        "split": SPLIT,
        "before": net.config.before.modality,
        "after": net.config.after.modality,
        "threshold": net.config.threshold,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "protocols": {protocol: found.as_dict(confidence) for protocol, found in scores.items()},
        "by_pair": {protocol: found.table().to_dict("records") for protocol, found in scores.items()},
        "warnings": doubts_of_pixels(scores["whole_tile"]),
        "sheet": on_sheet,
    }
    out = folders.out / method
    _draw_sheet(net.config, store, {name: predicted[name] for name in on_sheet}, out / "sheet.png")
    write_json(out / "details.json", details)
    write_json(out / "metrics.json", headline(details))
    return details


def headline(details: dict[str, Any]) -> dict[str, float]:
    """Return the few numbers that ``dvc metrics show`` prints; undefined ones are left out."""
    found = {
        f"{part}_{name}_{protocol}": values[part][name]
        for protocol, values in details["protocols"].items()
        for part, name in (("pixels", "f1"), ("pixels", "iou"), ("objects", "f1"))
    }
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def _scores(
    net: ChangeNetwork,
    store: PairStore,
    protocol: ScoringProtocol,
    rules: ChangeRules,
    on_pair: Callable[[str, Probability], None] | None,
) -> ChangeScores:
    return score_split(
        NetworkPredictor(net),
        store,
        SPLIT,
        protocol,
        before=net.config.before.modality,
        after=net.config.after.modality,
        rules=rules,
        threshold=net.config.threshold,
        on_pair=on_pair,
    )


def _most_changed(store: PairStore) -> list[str]:
    """Return the names of the test pairs on the sheet, those with most changed pixels first."""
    names = store.names(SPLIT)
    changed = [int((store.whole(LABEL, name) == CHANGED).sum()) for name in names]
    return [names[index] for index in np.argsort(-np.array(changed), kind="stable")[:SHEET_ROWS]]


def _draw_sheet(
    config: ChangeConfig, store: PairStore, predicted: Mapping[str, Probability], path: Path
) -> None:
    """Write a PNG with a row for each pair: before, after, truth, and right, false and missed change."""
    rows = [_row(config, store, name, probability) for name, probability in predicted.items()]
    save_sheet(path, rows, _GAP, _HEADINGS)


def _row(config: ChangeConfig, store: PairStore, name: str, probability: Probability) -> list[Picture]:
    before = store.whole(layer_name("before", config.before.modality), name)
    after = store.whole(layer_name("after", config.after.modality), name)
    label = store.whole(LABEL, name)[..., 0]
    under = _picture(after, config.after.modality)
    truth, known = label == CHANGED, label != UNKNOWN
    found: npt.NDArray[np.bool_] = (probability > config.threshold) & known
    pictures = [
        _picture(before, config.before.modality),
        under,
        truth_panel(truth, under),
        difference_panel(truth, found, under),
    ]
    return [squared(picture, SIDE_PX, Image.Resampling.NEAREST) for picture in pictures]


def _picture(image: Pixels, modality: Modality) -> Picture:
    return sar_picture(image) if modality == "sar" else image
