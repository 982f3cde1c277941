"""The section `evidence` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field, model_validator

from components.lib.config.loader import Parameters


class EvidenceParameters(Parameters):
    """How often each method is trained, and how many trainings run side by side.

    Attributes:
        seeds: Seeds of every method of the main tables.
        ablation_seeds: Seeds of the ablations, among ``seeds``: their upstream models must be there.
        jobs: Trainings at a time; each gets an equal share of the cores as threads.
    """

    seeds: tuple[int, ...] = Field(default=(17, 18, 19), min_length=1)
    ablation_seeds: tuple[int, ...] = Field(default=(17,), min_length=1)
    jobs: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> EvidenceParameters:
        if len(set(self.seeds)) != len(self.seeds) or any(not 0 <= seed < 2**32 for seed in self.seeds):
            raise ValueError("seeds must be distinct and between 0 and 2**32 - 1")
        if not set(self.ablation_seeds) <= set(self.seeds):
            raise ValueError("ablation_seeds must be among seeds")
        return self
