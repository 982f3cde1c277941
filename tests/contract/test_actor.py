"""Names of actors: given, or the user of the process; one line of bounded length."""

from __future__ import annotations

import getpass
import socket

import pytest

from components.contract.actor import actor_of_run, current_actor
from components.contract.errors import ParameterError
from components.contract.variables import ACTOR, LONGEST_ACTOR, check_variables


def test_the_variable_names_the_actor() -> None:
    assert current_actor({ACTOR: "Ada Lovelace"}) == "Ada Lovelace"
    assert actor_of_run("retrain", "r1", "stormsight-train") == "retrain r1 as stormsight-train"
    assert actor_of_run("retrain", "r1", "me", "ada") == "retrain r1 of ada as me"
    check_variables({ACTOR: actor_of_run("d" * 250, "r" * 250, "a" * 253, "p" * 250)})


def test_without_it_the_user_of_the_process_is_the_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert current_actor({}) == f"{getpass.getuser()}@{socket.gethostname()}"

    def nameless() -> str:
        raise KeyError("uid not found: 10001")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert current_actor({ACTOR: ""}).startswith("uid-")


@pytest.mark.parametrize("name", ["a\nb", " a", "a\x1b[2J", "a" * (LONGEST_ACTOR + 1)])
def test_what_is_no_name_is_refused_before_a_command_begins(name: str) -> None:
    with pytest.raises(ParameterError, match=ACTOR):
        check_variables({ACTOR: name})
    with pytest.raises(ParameterError, match=ACTOR):
        current_actor({ACTOR: name})


def test_an_odd_name_of_the_system_becomes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "a\nb" + "c" * 400)
    check_variables({ACTOR: current_actor({})})
