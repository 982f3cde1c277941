"""Hashes of the incremental set against those of the whole set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from components.contract.hashing import sha256_json
from components.contract.identity import training_key
from components.lib.operations.pending import PendingSet

CODE, PARAMS = "c" * 64, "d" * 64
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
HASHES = st.integers(0, 16**64 - 1).map("{:064x}".format)


@given(st.dictionaries(NAMES, HASHES), st.dictionaries(NAMES, HASHES))
def test_hashes_are_those_of_the_whole_set(before: dict[str, str], added: dict[str, str]) -> None:
    pending, members = PendingSet(before), dict(before)
    for name, sha256 in added.items():
        if name not in members:
            pending.add(name, sha256)
            members[name] = sha256
    for name in list(members)[::2]:
        pending.remove(name, members.pop(name))
    assert pending.sha256 == sha256_json(members)
    assert pending.training_key(CODE, PARAMS) == training_key(members, CODE, PARAMS)
