"""Hashes of the incremental set against those of the whole set."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contract.hashing import sha256_json
from components.contract.identity import training_key
from components.lib.operations import pending
from components.lib.operations.pending import PendingSet

CODE, PARAMS = "c" * 64, "d" * 64
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,3}", fullmatch=True)


def check(kept: PendingSet, members: dict[str, str]) -> None:
    assert kept.sha256 == sha256_json(members)
    assert kept.training_key(CODE, PARAMS) == training_key(members, CODE, PARAMS)


@settings(deadline=None)
@given(st.lists(NAMES), st.sampled_from([1, 2, 3, 64]))
def test_hashes_are_those_of_the_whole_set(names: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pending, "BLOCK", block)
        first = dict.fromkeys(names[: len(names) // 3], "0" * 64)
        kept, members = PendingSet(first), dict(first)
        check(kept, members)
        for number, name in enumerate(names):  # a name that comes again is removed
            if name in members:
                kept.remove(name, members.pop(name))
            else:
                members[name] = f"{number:064x}"
                kept.add(name, members[name])
            check(kept, members)


def test_a_large_set_hashes_as_a_small_one_does() -> None:
    kept, members = PendingSet({}), dict[str, str]()
    for number in range(5 * pending.BLOCK + 1):
        members[f"a-{number * 7919 % 10007}"] = f"{number:064x}"
        kept.add(list(members)[-1], f"{number:064x}")
        if number % pending.BLOCK in {0, 1, pending.BLOCK - 1}:
            check(kept, members)
