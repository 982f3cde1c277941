from __future__ import annotations

import pytest

from components.contract.errors import BadDataError
from components.lib.registry.budget import level_of, remaining, take_number
from components.lib.tracking.connection import Connection, connect
from components.lib.tracking.parameters import TrackingParameters

MODEL = "stormsight-sar"


@pytest.fixture
def connection(tracking: TrackingParameters) -> Connection:
    found = connect(tracking)
    found.client.create_registered_model(MODEL)
    for _ in range(4):
        found.client.create_model_version(MODEL, "file:///nowhere")
    return found


def test_the_levels_add_up_to_less_than_the_budget() -> None:
    levels = [level_of(0.1, number) for number in range(1, 201)]
    assert levels[:3] == pytest.approx([0.1 / 2, 0.1 / 6, 0.1 / 12])
    assert sum(levels) + remaining(0.1, 200) == pytest.approx(0.1)


def test_a_version_takes_a_number_once(connection: Connection) -> None:
    assert [take_number(connection, MODEL, v) for v in ("2", "3", "2", "4", "3")] == [1, 2, 1, 3, 2]


def test_a_version_that_was_deleted_has_spent_its_share(connection: Connection) -> None:
    assert take_number(connection, MODEL, "2") == 1
    assert take_number(connection, MODEL, "3") == 2
    connection.client.delete_model_version(MODEL, "2")
    assert take_number(connection, MODEL, "4") == 3


@pytest.mark.parametrize("value", ["many", "", "1.5", "0", "-1", "1e3", "9" * 5000])
def test_a_number_that_was_edited_is_named_with_its_version(connection: Connection, value: str) -> None:
    connection.client.set_model_version_tag(MODEL, "2", "judgement", value)
    with pytest.raises(BadDataError, match="stormsight-sar version 2: its tag 'judgement' is ") as caught:
        take_number(connection, MODEL, "3")
    assert "set the tag 'judgement' of that version right" in caught.value.next_step
    assert len(str(caught.value)) < 500
