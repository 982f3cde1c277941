"""Models in MLflow's registry, and the tamper-evident history of their champions.

``components.lib.registry.loading`` (networks from the registry) is imported by name: it brings torch.
"""

from components.lib.registry.artefact import (
    CHALLENGER,
    CHAMPION,
    by_alias,
    by_version,
    fetched,
    register,
)
from components.lib.registry.champion import HEAD_TAG, ChampionLine
from components.lib.registry.ledger import CHAMPIONS, Change, Entry, Ledger, Ledgers, champions, open_ledgers

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "CHAMPIONS",
    "HEAD_TAG",
    "ChampionLine",
    "Change",
    "Entry",
    "Ledger",
    "Ledgers",
    "by_alias",
    "by_version",
    "champions",
    "fetched",
    "open_ledgers",
    "register",
]
