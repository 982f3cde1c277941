"""Check of the change branch: data set, crop, modalities, methods, candidates and control fit each other.

The stages would say so themselves, one after the other, some after a training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components.change.parameters import ChangeParameters
from components.check.findings import Findings
from components.contract.documents import nearest, shown
from components.contract.errors import MissingInputError, ParameterError
from components.lib.change.datasets.registry import PAIR_DATASETS
from components.pairs.parameters import SIMULATED, PairsParameters
from components.promote.parameters import ChangeRules, PromoteParameters
from components.simulation.change.parameters import SHARES

Sections = Mapping[str, Any]


def check_change(sections: Sections, findings: Findings) -> None:
    """Hold the sections `pairs`, `change` and `promote.change` against each other.

    Args:
        sections: Sections that fit their models.
        findings: Takes what is wrong, and as warnings what lets no candidate be promoted.
    """
    change = ChangeParameters.model_validate(sections["change"])
    pairs = PairsParameters.model_validate(sections["pairs"])
    rules = PromoteParameters.model_validate(sections["promote"]).change
    if change.methods:
        before = len(findings.errors)
        with findings.collecting():
            _check_data_set(change, pairs)
        if len(findings.errors) == before:
            with findings.collecting():
                _check_crop(change, pairs)
            with findings.collecting():
                _check_modalities(change)
    for check in (_check_candidates, _check_control):
        with findings.collecting():
            check(rules, change.methods)
    if rules.candidates and not findings.errors:
        findings.warnings += _obstacles(rules, change, pairs)


def check_folders(pairs: PairsParameters, root: Path, findings: Findings) -> None:
    """Look for the folders of the data sets of pairs that the graph prepares.

    Args:
        pairs: Section `pairs`.
        root: Folder of ``params.yaml``, which their paths are relative to.
        findings: Takes the folders that are missing.
    """
    for name in pairs.data_sets:
        if name != SIMULATED and not (root / pairs.folders[name]).is_dir():
            findings.errors.append(
                MissingInputError(
                    f"pairs.folders: the folder {pairs.folders[name]} of the data set {name} does not exist",
                    next_step=f"put {name} there, correct pairs.folders, or remove it from pairs.data_sets",
                )
            )


def _check_data_set(change: ChangeParameters, pairs: PairsParameters) -> None:
    if change.data_set not in pairs.data_sets:
        hint = nearest(change.data_set, pairs.data_sets) if pairs.data_sets else ", which is empty"
        raise ParameterError(
            f"change.data_set: {change.data_set!r} is none of pairs.data_sets{hint}",
            next_step=f"add {change.data_set} to pairs.data_sets, name one of those in change.data_set, or "
            "empty change.methods",
        )


def _check_crop(change: ChangeParameters, pairs: PairsParameters) -> None:
    side = pairs.tile_side(change.data_set)
    if change.crop > side:
        raise ParameterError(
            f"change.crop: {change.crop} exceeds the tiles of {change.data_set}, {side} pixels",
            next_step=f"set change.crop to at most {side}, or pairs.tile_px to at least {change.crop}",
        )


def _check_modalities(change: ChangeParameters) -> None:
    """Check that the data set has the images that a network is to compare; simulated pairs have all."""
    if change.data_set == SIMULATED:
        return
    dataset = PAIR_DATASETS[change.data_set]
    held = {"before": dataset.before_modality, "after": dataset.after_modality}
    for date, modality in held.items():
        wanted = getattr(change, date)
        if wanted != modality:
            raise ParameterError(
                f"change.{date}: {wanted!r}, and the images of {change.data_set} are {modality}",
                next_step=f"set change.{date} to {modality}, or choose another change.data_set",
            )


def _check_candidates(rules: ChangeRules, trained: Iterable[str]) -> None:
    for name in rules.candidates:
        if name not in trained:
            raise ParameterError(
                f"promote.change.candidates: {shown(name)} is none of change.methods{nearest(name, trained)}",
                next_step=f"add {name} to change.methods, or remove it from promote.change.candidates",
            )


def _check_control(rules: ChangeRules, trained: Iterable[str]) -> None:
    if rules.control is None or not rules.candidates:
        return
    if rules.control in rules.candidates:
        raise ParameterError(
            f"promote.change.control: {rules.control!r} is a candidate as well, which cannot beat itself",
            next_step="remove it from promote.change.candidates, or name another control",
        )
    if rules.control not in trained:
        raise ParameterError(
            f"promote.change.control: {shown(rules.control)} is none of change.methods"
            f"{nearest(rules.control, trained)}",
            next_step=f"add {rules.control} to change.methods, or set promote.change.control to null (none)",
        )


def _obstacles(rules: ChangeRules, change: ChangeParameters, pairs: PairsParameters) -> list[str]:
    """Return why no candidate can be promoted, whatever its score."""
    told = []
    if pairs.leaks == "ignore":
        told.append("pairs.leaks is ignore: no change model is promoted on a test that may be no test")
    if change.data_set == SIMULATED:
        scenes = max(1, round(SHARES["test"] * pairs.simulated.pairs))
        if scenes < rules.min_blocks:
            told.append(
                f"pairs.simulated.pairs gives {scenes} test scenes, fewer than promote.change.min_blocks "
                f"({rules.min_blocks}): no change model is promoted"
            )
    if rules.control is not None and getattr(rules.training_spread, rules.metric) is None:
        told.append(
            f"promote.change.training_spread.{rules.metric} is null: no gain over the control "
            f"{rules.control} counts, so that no change model is promoted (docs/methods/change.md)"
        )
    return told
