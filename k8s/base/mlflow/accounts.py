"""Accounts of the MLflow server, kept as declared here; the init container of its pod runs this.

    python accounts.py FOLDER

FOLDER is a mounted Secret: a file for each account, named after it, that holds its password. Accounts,
passwords, roles and grants are brought to what is declared, however often this runs; accounts that people
added are left alone. The server's configuration (MLFLOW_AUTH_CONFIG_PATH) names the database.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

GRANTS: Mapping[str, Mapping[str, str]] = {
    "train": {"experiment": "EDIT"},
    "ledger": {"workspace": "USE", "experiment": "EDIT", "registered_model": "MANAGE"},
    "reader": {},
}
"""Grants by account, each on everything of a kind, beyond ``default_permission`` of auth.ini, which is READ.

``EDIT`` of experiments writes runs, ``MANAGE`` also deletes. New experiments and models need ``USE`` of the
workspace: without it no training takes a model's name before its first promotion. ``plan`` makes the
experiment, as ``ledger``, before anything is trained.
"""

ADMIN = "admin"
"""Account for a person who adds accounts; no pod has its password."""

ACCOUNTS = (ADMIN, *GRANTS)

WORKSPACE = "default"


class SetupError(Exception):
    """An account cannot be made as declared; the text says which and why."""


def main() -> int:
    """Bring all accounts to what is declared.

    Returns:
        0; 2 for a wrong command line, 69 if the database does not answer, 78 if a password cannot be used.
    """
    if len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - these imports take seconds

    try:
        keep_accounts(read_passwords(Path(sys.argv[1])))
    except SetupError as error:
        sys.stderr.write(f"accounts.py: {error}\n")
        return 78
    except SQLAlchemyError as error:
        sys.stderr.write(f"accounts.py: MLflow's database does not answer: {error}\n")
        return 69
    return 0


def read_passwords(folder: Path) -> dict[str, str]:
    """Return the password of every account.

    Raises:
        SetupError: If one is missing or empty.
    """
    files = {account: folder / account for account in ACCOUNTS}
    passwords = {account: file.read_text().strip() for account, file in files.items() if file.is_file()}
    missing = [account for account in ACCOUNTS if not passwords.get(account)]
    if missing:
        raise SetupError(f"no password for {', '.join(missing)} in {folder}: add such keys to the Secret")
    return passwords


def keep_accounts(passwords: Mapping[str, str]) -> None:
    """Bring all accounts in the server's database to what is declared; tables are made as needed.

    Raises:
        SetupError: If MLflow refuses one, as with a password of less than 12 characters.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from mlflow.server.auth.config import read_auth_config  # noqa: PLC0415
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415

    store = SqlAlchemyStore()
    store.init_db(read_auth_config().database_uri)  # type: ignore[no-untyped-call]
    for account in ACCOUNTS:
        try:
            _keep_account(store, account, passwords[account])
        except MlflowException as error:
            raise SetupError(f"account {account}: {error.message}") from error


def _keep_account(store: SqlAlchemyStore, account: str, password: str) -> None:
    is_admin = account == ADMIN
    if not store.has_user(account):
        store.create_user(account, password, is_admin=is_admin)
    elif not store.authenticate_user(account, password) or store.get_user(account).is_admin != is_admin:
        store.update_user(account, password=password, is_admin=is_admin)
    if not is_admin:
        _keep_role(store, store.get_user(account).id, f"stormsight-{account}", GRANTS[account])


def _keep_role(store: SqlAlchemyStore, user: int, name: str, grants: Mapping[str, str]) -> None:
    """Bring a user's role to exactly these grants."""
    role = next((one for one in store.list_roles([WORKSPACE]) if one.name == name), None)
    role = role or store.create_role(name, WORKSPACE)
    if role.id not in {held.id for held in store.list_user_roles(user)}:
        store.assign_role_to_user(user, role.id)
    kept = set()
    for grant in store.list_role_permissions(role.id):
        if grant.resource_pattern == "*" and grants.get(grant.resource_type) == grant.permission:
            kept.add(grant.resource_type)
        else:
            store.remove_role_permission(grant.id)
    for kind in grants.keys() - kept:
        store.add_role_permission(role.id, kind, "*", grants[kind])


if __name__ == "__main__":
    sys.exit(main())
