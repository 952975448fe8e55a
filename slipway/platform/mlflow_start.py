"""Starts MLflow's server with the password that its database has at this moment.

Runs in the server's container, from a ConfigMap: it knows nothing but Python. RDS changes the password every week, and
MLflow takes a URI, in the environment and again in a file, so both are made of the mounted Secret at each start.
"""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path
from urllib.parse import quote

ACCOUNTS = Path("/tmp/accounts.ini")


def uri(place: str, secret: Path) -> str:
    """Return the database's address with its login, if it has one.

    Args:
        place: `postgresql://<host>:<port>/<name>`, or a file of SQLite.
        secret: Directory with `username`, `password`.
    """
    scheme, separator, rest = place.partition("://")
    if not secret.is_dir():
        return place
    login = ":".join(quote((secret / part).read_text(), safe="") for part in ("username", "password"))
    return f"{scheme}{separator}{login}@{rest}"


def accounts(database: str, permission: str) -> configparser.RawConfigParser:
    """Return what MLflow reads about its users; it takes a percent sign for the beginning of a reference."""
    config = configparser.RawConfigParser()
    config["mlflow"] = {
        "default_permission": permission,
        "database_uri": database.replace("%", "%%"),
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    return config


def main() -> None:
    """Become the server."""
    database = uri(os.environ["DATABASE"], Path(os.environ["DATABASE_LOGIN"]))
    with ACCOUNTS.open("w") as file:
        accounts(database, os.environ["DEFAULT_PERMISSION"]).write(file)
    os.environ.update(MLFLOW_BACKEND_STORE_URI=database, MLFLOW_AUTH_CONFIG_PATH=str(ACCOUNTS))
    os.execvp("mlflow", ["mlflow", "server", *sys.argv[1:]])


if __name__ == "__main__":
    main()
