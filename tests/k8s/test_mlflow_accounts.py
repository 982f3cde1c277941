"""A real MLflow server with the deployment's accounts: who may do what, by the project's own code."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.exc import OperationalError

from components.contract.errors import MissingInputError, SourceUnavailableError
from components.lib.registry.artefact import CHAMPION, by_alias, by_version
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.registry.served import require_all_served
from components.lib.tracking.connection import Connection, connect, store_errors
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import track_run
from tests.k8s.manifests import ROOT, settings
from tests.lib.registry.models import MODEL, promote, three_versions
from tests.lib.tracking.local_store import local_store
from tests.mlflow_server import DECLARED, GUARD, PASSWORDS, configuration, credentials, guard, running

Act = Callable[[Connection], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the server, of models and of their ledger."""
    return tmp_path_factory.mktemp("accounts")


@pytest.fixture(scope="module")
def tracking(folder: Path) -> Iterator[TrackingParameters]:
    """The server, with its accounts in MLflow's own database."""
    store = local_store(folder / "server")
    with running(folder, store, guard(folder, store.uri)) as uri:
        yield TrackingParameters(uri=uri)


@pytest.fixture(scope="module")
def connections() -> dict[str, Connection]:
    """Connections by account that a test opened before."""
    return {}


@pytest.fixture
def enter(
    tracking: TrackingParameters, connections: dict[str, Connection], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Connection]:
    """Connect as an account, from the environment, as a pod does."""

    def as_account(account: str) -> Connection:
        for name, value in credentials(account).items():
            monkeypatch.setenv(name, value)
        if account not in connections:
            connections[account] = connect(tracking)
        return connections[account]

    return as_account


@pytest.fixture(scope="module")
def ledger(folder: Path) -> str:
    return str(folder / "ledger")


@pytest.fixture(scope="module")
def promoted(folder: Path, tracking: TrackingParameters, ledger: str) -> str:
    """Three versions, the first champion, all done by ``ledger``; the id of its experiment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in credentials("ledger").items():
            patch.setenv(name, value)
        require_all_served(tracking, open_ledgers(ledger))
        connection = connect(tracking)
        assert by_alias(connection, MODEL, CHAMPION) is None, "a model that does not exist yet"
        with pytest.raises(MissingInputError, match="has no version 1"):
            by_version(connection, MODEL, "1")
        registry = three_versions(connection, folder, ledger)
        promote(registry, "1", "2")
        assert registry.rollback("a drill").version == "1"
        require_all_served(tracking, open_ledgers(ledger))
        return connection.experiment_id


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD not set"),
        ({"MLFLOW_TRACKING_USERNAME": "train"}, "credentials: MLFLOW_TRACKING_PASSWORD not set"),
        (
            {**credentials("train"), "MLFLOW_TRACKING_PASSWORD": "of somebody else"},
            "credentials: account 'train'",
        ),
        ({**credentials("train"), "MLFLOW_TRACKING_USERNAME": "housekeeping"}, "account 'housekeeping'"),
    ],
)
def test_who_is_not_known_is_refused_and_told_so(
    tracking: TrackingParameters, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SourceUnavailableError, match=told) as refused:
        connect(tracking)
    assert "Secret stormsight-mlflow-<account>" in refused.value.next_step


def test_trainings_track_their_runs(
    promoted: str, enter: Callable[[str], Connection], tmp_path: Path
) -> None:
    connection = enter("train")
    assert connection.experiment_id == promoted
    (tmp_path / "loss.txt").write_text("0.5")
    with track_run(TrackingParameters(uri=connection.uri), "adapt", {"lr": 1}, {"simulated": "true"}) as run:
        run.log_metrics({"loss": 0.5}, 1)
        run.log_artifact(tmp_path / "loss.txt")
    assert run.run_id is not None
    found = connection.client.get_run(run.run_id)
    assert (found.info.status, found.data.metrics, found.data.params) == (
        "FINISHED",
        {"loss": 0.5},
        {"lr": "1"},
    )
    assert [file.path for file in connection.client.list_artifacts(run.run_id)] == ["loss.txt"]


REGISTRY: dict[str, Act] = {
    "move the alias": lambda c: c.client.set_registered_model_alias(MODEL, CHAMPION, "3"),
    "delete the alias": lambda c: c.client.delete_registered_model_alias(MODEL, CHAMPION),
    "change the ledger's tags": lambda c: c.client.set_registered_model_tag(MODEL, "ledger_head", "x"),
    "change a version's tags": lambda c: c.client.set_model_version_tag(MODEL, "2", "sha256", "x"),
    "add a version": lambda c: c.client.create_model_version(MODEL, "s3://elsewhere/model"),
    "delete a version": lambda c: c.client.delete_model_version(MODEL, "2"),
    "delete the model": lambda c: c.client.delete_registered_model(MODEL),
    "take a model's name": lambda c: c.client.create_registered_model("stormsight-optical"),
    "make an experiment": lambda c: c.client.create_experiment("another"),
    "delete the experiment": lambda c: c.client.delete_experiment(c.experiment_id),
}
RUNS: dict[str, Act] = {
    "make a run": lambda c: c.client.create_run(c.experiment_id),
    "rename the experiment": lambda c: c.client.rename_experiment(c.experiment_id, "mine"),
}


@pytest.mark.parametrize(
    ("account", "act"),
    [("train", act) for act in REGISTRY.values()] + [("reader", act) for act in (REGISTRY | RUNS).values()],
    ids=[f"train: {what}" for what in REGISTRY] + [f"reader: {what}" for what in REGISTRY | RUNS],
)
def test_nobody_else_may(promoted: str, enter: Callable[[str], Connection], account: str, act: Act) -> None:
    del promoted
    connection = enter(account)
    told = f"does not let account '{account}' do this"
    with pytest.raises(SourceUnavailableError, match=told), store_errors(connection.uri):
        act(connection)


@pytest.mark.parametrize("account", ["train", "reader"])
def test_everybody_reads_what_is_served(
    promoted: str, enter: Callable[[str], Connection], ledger: str, account: str
) -> None:
    connection = enter(account)
    registry = ChampionRegistry(connection, open_ledgers(ledger), MODEL)
    assert (registry.current(), connection.experiment_id) == ("1", promoted)
    with pytest.raises(SourceUnavailableError, match="`ledger` also registers and promotes"):
        promote(registry, "3")
    registry.require_agreement()


def test_the_program_repeats_itself_and_rotates_passwords(
    folder: Path, tracking: TrackingParameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a copy of the server's database: tables of the accounts and of MLflow in one."""
    del tracking
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 - seconds of import

    database = shutil.copyfile(folder / "server/mlflow.db", tmp_path / "accounts.db")
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", str(configuration(tmp_path, f"sqlite:///{database}")))
    keep: Any = DECLARED["keep_accounts"]
    first = content(database)
    assert {account for account, _ in first["users"]} == set(DECLARED["ACCOUNTS"])
    assert [account for account, is_admin in first["users"] if is_admin] == ["admin"]
    keep(PASSWORDS)
    assert content(database) == first

    store = SqlAlchemyStore()
    store.init_db(f"sqlite:///{database}")  # type: ignore[no-untyped-call]
    store.create_user("ada", "a person's own password")
    store.update_user("train", is_admin=True)
    role = next(role for role in store.list_roles(["default"]) if role.name == "stormsight-train")
    store.add_role_permission(role.id, "registered_model", "*", "MANAGE")
    keep({**PASSWORDS, "train": "another password"})
    mended = content(database)
    assert mended["grants"] == first["grants"]
    assert sorted(mended["users"]) == sorted([*first["users"], ("ada", 0)])
    assert store.authenticate_user("train", "another password")
    assert not store.authenticate_user("train", PASSWORDS["train"])
    assert store.authenticate_user("ledger", PASSWORDS["ledger"])

    with pytest.raises(DECLARED["SetupError"], match=r"account reader: .* at least 12 characters"):
        keep({**PASSWORDS, "reader": "short"})


def content(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Users, and grants by role and holder."""
    grants = (
        "SELECT users.username, roles.name, resource_type, resource_pattern, permission FROM roles "
        "JOIN user_role_assignments AS held ON held.role_id = roles.id JOIN users ON users.id = held.user_id "
        "LEFT JOIN role_permissions ON role_permissions.role_id = roles.id ORDER BY 1, 2, 3"
    )
    with closing(sqlite3.connect(database)) as opened:
        users = opened.execute("SELECT username, is_admin FROM users ORDER BY 1").fetchall()
        return {"users": users, "grants": opened.execute(grants).fetchall()}


def unanswered(passwords: object) -> None:
    raise OperationalError("SELECT 1", {}, ConnectionRefusedError("connection refused"))


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        ({"admin": "x", "train": "\n", "reader": "y"}, 78, "no password for train, ledger in"),
        (PASSWORDS, 69, "MLflow's database does not answer"),
    ],
)
def test_the_pods_log_says_why_no_server_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, str],
    status: int,
    told: str,
) -> None:
    for account, text in given.items():
        (tmp_path / account).write_text(text)
    main: Any = DECLARED["main"]
    monkeypatch.setitem(main.__globals__, "keep_accounts", unanswered)
    monkeypatch.setattr(sys, "argv", ["accounts.py", str(tmp_path)])
    assert main() == status
    assert told in capsys.readouterr().err


def test_the_manifest_starts_the_server_so() -> None:
    text = (ROOT / "k8s/base/mlflow.yaml").read_text()
    [deployment] = [one for one in yaml.safe_load_all(text) if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    [server], [accounts] = pod["containers"], pod["initContainers"]
    assert tuple(server["command"][-len(GUARD) :]) == GUARD
    variables = {one["name"]: one.get("value") for one in server["env"]}
    assert variables["MLFLOW_BASIC_AUTH_FAIL_CLOSED"] == "true"
    assert accounts["command"][1:] == ["/etc/stormsight/accounts.py", "/run/secrets/accounts"]
    assert not any(mount["name"] == "passwords" for mount in server["volumeMounts"]), "the server needs none"


@pytest.mark.parametrize("overlay", ["cloud", "lab"])
def test_only_accounts_that_need_mlflow_have_its_secret(overlay: str) -> None:
    holders = {
        account: [name for name in secrets if name.startswith("stormsight-mlflow-")]
        for account, secrets in settings(overlay)["kubernetes"]["secrets"].items()
    }
    assert holders == {
        "data": [],
        "train": ["stormsight-mlflow-train"],
        "map": ["stormsight-mlflow-map"],
        "ledger": ["stormsight-mlflow-ledger"],
        "housekeeping": [],
    }
