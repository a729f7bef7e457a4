"""A private MySQL, made by scripts/mysql where its server is at hand. It is used as a MariaDB is."""
import os
import re
import shutil
import subprocess

import pytest

from harness.mariadb import MariaDb, MariaDbServer
from harness.paths import ROOT


def mysqld():
    """Its program, or None: also where that name is MariaDB's."""
    found = shutil.which(os.environ.get("MYSQLD", "mysqld"), path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    return None if "MariaDB" in said else found


class MySqlServer(MariaDbServer):
    script = ROOT / "scripts" / "mysql"
    kind = "mysql"

    def __init__(self, *options):
        if mysqld() is None:
            pytest.skip("there is no mysqld of MySQL here; MYSQLD names one")
        super().__init__(*options)

    def make_database(self, name):
        return MySqlDb(self, name)


class MySqlDb(MariaDb):
    """Knows MariaDB's tables of numbers, seq_1_to_10."""

    def connect(self):
        return self.server.connect(self.name, init_command="SET SESSION cte_max_recursion_depth = 100000000")

    def run(self, sql, connection=None):
        return super().run(re.sub(
            r"\bseq_(\d+)_to_(\d+)",
            r"(WITH RECURSIVE s AS (SELECT \1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < \2) "
            r"SELECT seq FROM s) AS seq_\1_to_\2", sql), connection)
