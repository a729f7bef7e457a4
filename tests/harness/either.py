"""Fixtures of tests that a MariaDB and a MySQL have to pass: `from harness.either import database, instance, is_mysql, maria`."""
import pytest

from harness.mariadb import MariaDbInstance, MariaDbServer
from harness.mysql import MySqlServer

__all__ = ["database", "instance", "is_mysql", "maria"]


@pytest.fixture(scope="module", params=[MariaDbServer, MySqlServer], ids=["mariadb", "mysql"])
def maria(request):
    server = request.param()
    yield server
    server.stop()


@pytest.fixture
def is_mysql(maria):
    return maria.kind == "mysql"


@pytest.fixture
def database(maria):
    with maria.database() as made:
        yield made


@pytest.fixture
def instance(database, tmp_path):
    with MariaDbInstance(tmp_path / "project", database) as made:
        yield made
