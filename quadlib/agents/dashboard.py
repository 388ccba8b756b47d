"""The shipped studies in optuna-dashboard: `make dashboard`, then http://127.0.0.1:8080."""

import optuna_dashboard
from optuna.storages import InMemoryStorage

from quadlib.search.studies import SHIPPED, load


def shipped() -> InMemoryStorage:
    """All studies beside this file, in one storage."""
    storage = InMemoryStorage()
    for path in sorted(SHIPPED.glob("*.json")):
        load(path, storage)
    return storage


if __name__ == "__main__":
    optuna_dashboard.run_server(shipped(), host="127.0.0.1", port=8080)
