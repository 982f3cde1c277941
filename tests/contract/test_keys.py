"""Layout of the state: what is written under a key today must be found under it tomorrow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.contract import keys

KEY = "0" * 64


@pytest.mark.parametrize(
    ("found", "pinned"),
    [
        (keys.marker_key("a"), "a/COMPLETE.json"),
        (keys.catalogue_key("a"), "catalogue/a.json"),
        (keys.rejection_key("../B a", "f" * 64), "rejected/-a-ffffffffffffffff.json"),
        (keys.accepted_key("a", "f" * 64), "accepted/a-ffffffffffffffff.json"),
        (keys.delivery_prefix("a", "f" * 64), "deliveries/a/ffffffffffffffff/"),
        (keys.STRIPS, "strips.json"),
        (keys.entry_key(keys.OPERATIONS, 7), "ledger/operations/000000007.json"),
        (keys.head_key(keys.OPERATIONS), "ledger/operations.head.json"),
        (keys.snapshot_key(keys.OPERATIONS), "ledger/operations.snapshot.json"),
        (keys.champion_chain("sar"), "ledger/champions/sar"),
        (keys.plan_key("r"), "runs/r/plan.json"),
        (keys.stage_record_key(KEY, "distill@control"), f"work/{KEY}/stages/distill@control.json"),
        (keys.failure_key(KEY, "optical", 2), f"work/{KEY}/failures/optical-2.json"),
        (keys.stage_checkpoints_prefix(KEY, "optical"), f"work/{KEY}/checkpoints/optical"),
        (keys.intent_key(KEY, "optical", "f" * 64), f"work/{KEY}/intents/optical-ffffffffffffffff.json"),
        (keys.removal_key("r"), "removals/r.json"),
        (keys.decisions_key(keys.training_prefix(KEY)), f"work/{KEY}/decisions.json"),
        (keys.decisions_key(keys.training_prefix(KEY), "change-m"), f"work/{KEY}/decisions-change-m.json"),
        (keys.lock_key(KEY), f"work/{KEY}/dvc.lock"),
        (keys.run_record_key(KEY), f"work/{KEY}/record.json"),
    ],
)
def test_keys_stay_what_they_are(found: str, pinned: str) -> None:
    assert found == pinned


def test_a_stage_is_read_off_its_key() -> None:
    assert keys.recorded_stage(keys.stage_record_key(KEY, "distill@control")) == "distill@control"


@pytest.mark.parametrize("name", ["../../etc", "", "Ä", "x" * 100, "a/b"])
def test_a_folder_of_any_name_gives_one_safe_rejection_key(name: str) -> None:
    assert re.fullmatch(r"rejected/[a-z0-9-]{1,63}-f{16}\.json", keys.rejection_key(name, "f" * 64))


@pytest.mark.parametrize("key", ["1.json", "000000001.yaml", "0000000001.json", "00000000a.json"])
def test_only_nine_digits_number_an_entry(key: str) -> None:
    assert keys.entry_number(f"{keys.OPERATIONS}/{key}") is None
    assert keys.entry_number(keys.entry_key(keys.OPERATIONS, 1)) == 1


def test_models_are_read_off_entries_and_notes_of_their_own_chain_only() -> None:
    chain = keys.champion_chain("stormsight-sar")
    assert keys.champion_model(keys.entry_key(chain, 3)) == "stormsight-sar"
    assert keys.champion_model(keys.head_key(chain)) == "stormsight-sar"
    assert keys.champion_model(f"{chain}/note.json") is None
    assert keys.champion_model(keys.entry_key(f"{chain}/deeper", 1)) is None
    assert keys.champion_model(keys.entry_key(keys.OPERATIONS, 1)) is None


def test_no_other_module_spells_a_key(repository: Path) -> None:
    spelled = re.compile(
        r'"(?:(?:work|runs|catalogue|deliveries|rejected|accepted|probe|removals|ledger)/[^"]*|COMPLETE\.json|dvc\.lock)"'
    )
    modules = {path for room in ("components", "dags") for path in (repository / room).rglob("*.py")}
    # The experiments keep folders of their own that happen to be called work/.
    others = {path for path in modules if "experiments" not in path.parts}
    # DVC's run cache in its remote is no key of ours.
    text = {path: path.read_text().replace('"files/md5/", "runs/"', "") for path in others}
    found = {path.relative_to(repository): names for path in text if (names := spelled.findall(text[path]))}
    assert set(found) == {Path("components/contract/keys.py")}
