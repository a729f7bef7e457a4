"""Statements that alter, drop and make tables, changes between them, and Biwa stopped, killed or copying anew at any moment: in the end
every table is what the source has. BIWA_SEED repeats a walk, BIWA_WALKS does more of them."""
import os
import random
import time

import pytest

from harness.either import database, instance, is_mysql, maria  # noqa: F401
from harness.mariadb import assert_same_table
from harness.wait import wait_until

SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))
WALKS = int(os.environ.get("BIWA_WALKS", "1"))
STEPS = 60


class Walk:
    def __init__(self, database, instance, chance):
        self.database, self.instance, self.chance = database, instance, chance
        self.tables = {}  # columns behind the key, of those that are there
        self.next_id, self.next_column = 1, 1
        self.said = []
        for name in ("t0", "t1", "t2"):
            self.make(name, "")

    def run(self, sql):
        self.said.append(sql)
        self.database.run(sql)

    def number(self):
        return self.chance.choice(("NULL", str(self.chance.randrange(100))))

    def make(self, name, how):
        columns = self.chance.sample(["a", "b", "c"], self.chance.randrange(1, 4))
        self.run(f"CREATE TABLE {how} {name} (id int PRIMARY KEY" + "".join(f", {c} int DEFAULT {self.number()}" for c in columns) + ")")
        self.tables[name] = columns
        for _ in range(self.chance.randrange(3)):
            self.insert(name)

    def insert(self, name):
        names = [c for c in self.tables[name] if self.chance.random() < 0.6]
        self.run(f"INSERT INTO {name} (id{''.join(', ' + c for c in names)}) VALUES ({self.next_id}{''.join(', ' + self.number() for _ in names)})")
        self.next_id += 1

    def change(self):
        name = self.chance.choice(list(self.tables))
        columns = self.tables[name]
        column = self.chance.choice(columns) if columns else None
        what = self.chance.choices(("insert", "update", "delete", "add", "again", "default", "drop", "move", "truncate", "anew", "not exists",
                                    "rename", "widen", "text"), (20, 12, 4, 14, 5, 12, 8, 5, 2, 4, 3, 3, 4, 5))[0]
        if what == "insert":
            self.insert(name)
        elif what == "delete":
            self.run(f"DELETE FROM {name} WHERE id % 5 = {self.chance.randrange(5)}")
        elif what in ("add", "again"):
            new = f"n{self.next_column}" if what == "add" else f"n{self.chance.randrange(self.next_column)}"
            self.next_column += what == "add"
            if new not in columns:
                place = self.chance.choice(("", " FIRST", " AFTER id"))
                self.run(f"ALTER TABLE {name} ADD COLUMN {new} int DEFAULT {self.number()}{place}")
                columns.append(new)
        elif what == "truncate":
            self.run(f"TRUNCATE TABLE {name}")
        elif what == "anew":
            self.run(f"DROP TABLE {name}")
            del self.tables[name]
            self.make(name, self.chance.choice(("", "IF NOT EXISTS")))
        elif what == "not exists":
            self.run(f"CREATE TABLE IF NOT EXISTS {name} (id int PRIMARY KEY, other int)")
        elif column is None:
            self.insert(name)
        elif what == "update":
            self.run(f"UPDATE {name} SET {column} = {self.number()} WHERE id % 3 = {self.chance.randrange(3)}")
        elif what == "default":
            self.run(f"ALTER TABLE {name} ALTER COLUMN {column} SET DEFAULT {self.number()}")
        elif what == "drop":
            self.run(f"ALTER TABLE {name} DROP COLUMN {column}")
            columns.remove(column)
        elif what == "move":
            self.run(f"ALTER TABLE {name} MODIFY {column} int DEFAULT {self.number()} {self.chance.choice(('FIRST', 'AFTER id'))}")
        elif what == "rename":
            new = f"n{self.next_column}"
            self.next_column += 1
            self.run(f"ALTER TABLE {name} RENAME COLUMN {column} TO {new}")
            columns[columns.index(column)] = new
        elif what == "text":
            # Each value is a number still.
            self.run(f"ALTER TABLE {name} MODIFY {column} varchar(20) DEFAULT '{self.chance.randrange(100)}'")
        elif what == "widen":
            self.run(f"ALTER TABLE {name} MODIFY {column} bigint DEFAULT {self.number()}")

    def go(self):
        self.instance.start()
        for _ in range(STEPS):
            self.change()
            what = self.chance.choices(("", "sync", "stop", "kill", "recopy", "pause"), (70, 8, 6, 6, 5, 5))[0]
            if what:
                self.said.append(f"-- {what}")
            if what == "sync":
                self.instance.sync()
            elif what == "recopy":
                self.instance.command("stream", "recopy", "app", self.chance.choice(list(self.tables)))
            elif what == "pause":
                time.sleep(self.chance.random())
            elif what in ("stop", "kill"):
                getattr(self.instance, what)()
                for _ in range(self.chance.randrange(6)):
                    self.change()
                self.instance.start()

    def check(self):
        # A column that has come is seen with the table's next change.
        for name in self.tables:
            self.insert(name)
        self.instance.sync()
        self.instance.settle()
        for name, columns in self.tables.items():
            # What is copied anew is taken over when it is whole.
            def same():
                try:
                    assert_same_table(self.database, self.instance, name, ["id", *columns])
                    return True
                except Exception:  # noqa: BLE001
                    return False

            try:
                wait_until(same, lambda: name, 15)
            except AssertionError:
                assert_same_table(self.database, self.instance, name, ["id", *columns])


@pytest.mark.parametrize("walk", range(WALKS))
@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_in_the_end_every_table_is_what_the_source_has(database, instance, walk, metadata):
    seed = SEED + walk
    chance = random.Random(f"{seed} {metadata}")
    image = chance.choice(("FULL", "MINIMAL", "NOBLOB"))
    before = database.run("SELECT @@GLOBAL.binlog_row_metadata, @@GLOBAL.binlog_row_image")[0]
    database.run(f"SET GLOBAL binlog_row_metadata = '{metadata}'; SET GLOBAL binlog_row_image = '{image}'; SET SESSION binlog_row_image = '{image}'")
    steps = Walk(database, instance, chance)
    try:
        steps.go()
        steps.check()
    except BaseException:
        print(f"BIWA_SEED={seed} metadata {metadata} image {image}\n" + ";\n".join(steps.said) + "\n" + instance.log())
        raise
    finally:
        database.run(f"SET GLOBAL binlog_row_metadata = '{before[0]}'; SET GLOBAL binlog_row_image = '{before[1]}'")
