"""Random walks through statements of MariaDB and MySQL (harness/walk.py)."""
import pytest

from harness.either import database, instance, is_mysql, maria  # noqa: F401
from harness.walk import SEED, WALKS, Walk


class MariaDbWalk(Walk):
    WHAT = {"insert": 20, "update": 12, "delete": 4, "add": 14, "again": 5, "default": 12, "drop": 8, "move": 5, "truncate": 2, "anew": 4,
            "not_exists": 3, "rename": 3, "widen": 4, "text": 5}

    def make(self, name, how=""):
        names, columns = self.columns()
        self.run(f"CREATE TABLE {how} {name} (id int PRIMARY KEY{columns})")
        self.fill(name, names)

    def add(self, name, new=None, place=""):
        super().add(name, new, self.chance.choice(("", " FIRST", " AFTER id")))

    def anew(self, name):
        self.run(f"DROP TABLE {name}")
        self.make(name, self.chance.choice(("", "IF NOT EXISTS")))

    def not_exists(self, name):
        self.run(f"CREATE TABLE IF NOT EXISTS {name} (id int PRIMARY KEY, other int)")

    def modify(self, name, how):
        if column := self.column(name):
            self.run(f"ALTER TABLE {name} MODIFY {column} {how}")

    def move(self, name):
        self.modify(name, f"int DEFAULT {self.number()} {self.chance.choice(('FIRST', 'AFTER id'))}")

    def text(self, name):
        """Each value is a number still."""
        self.modify(name, f"varchar(20) DEFAULT '{self.chance.randrange(100)}'")

    def widen(self, name):
        self.modify(name, f"bigint DEFAULT {self.number()}")


@pytest.mark.parametrize("walk", range(WALKS))
@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_in_the_end_every_table_is_what_the_source_has(database, instance, walk, metadata):
    steps = MariaDbWalk(database, instance, SEED + walk, f"metadata {metadata}")
    image = steps.chance.choice(("FULL", "MINIMAL", "NOBLOB"))
    steps.title += f" image {image}"
    before = database.run("SELECT @@GLOBAL.binlog_row_metadata, @@GLOBAL.binlog_row_image")[0]
    database.run(f"SET GLOBAL binlog_row_metadata = '{metadata}'; SET GLOBAL binlog_row_image = '{image}'; SET SESSION binlog_row_image = '{image}'")
    try:
        for name in ("t0", "t1", "t2"):
            steps.make(name)
        steps.go()
    finally:
        database.run(f"SET GLOBAL binlog_row_metadata = '{before[0]}'; SET GLOBAL binlog_row_image = '{before[1]}'")
