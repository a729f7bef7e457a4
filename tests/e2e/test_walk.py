"""Random walks through statements of PostgreSQL (harness/walk.py): by themselves, and in transactions, of which some are rolled back."""
import copy

import pytest

from harness.walk import SEED, WALKS, Walk


class PostgresWalk(Walk):
    WHAT = {"insert": 20, "update": 12, "delete": 4, "key": 4, "large": 5, "add": 14, "again": 5, "default": 5, "drop": 8, "truncate": 2,
            "anew": 4, "rename": 5, "widen": 4, "text": 2, "rewrite": 2, "swap": 3, "table": 4, "another": 2, "identity": 4, "unkey": 3,
            "rekey": 3, "twice": 2, "part_made": 2, "attach": 2, "vacuum": 1}

    ALWAYS = ("big",)

    def __init__(self, database, instance, seed):
        super().__init__(database, instance, seed)
        self.next_table, self.next_part, self.first = 3, 1, 300000
        self.kinds = {}  # name -> "key", "unkeyed" and "bag" (all columns tell rows apart), "parts" (partitioned)
        self.keys = {}  # name -> the constraint
        self.batch = None
        for name in ("t0", "t1", "t2"):
            self.make(name)

    def run(self, sql):
        if self.batch is None:
            super().run(sql)
        else:
            self.said.append(sql)
            self.batch.append(sql)

    # Tables.

    def make(self, name):
        names, columns = self.columns()
        kind = self.chance.choice(("key", "key", "bag", "parts"))
        self.next_part += 1
        self.kinds[name], self.keys[name] = kind, f"k{self.next_part}"
        key = "" if kind == "bag" else f" CONSTRAINT {self.keys[name]} PRIMARY KEY"
        self.run(f"CREATE TABLE {name} (id int{key}{columns}, big text)" + (" PARTITION BY RANGE (id)" if kind == "parts" else ""))
        if kind == "parts":
            for which in ("FOR VALUES FROM (0) TO (30)", "FOR VALUES FROM (30) TO (60)", "DEFAULT"):
                self.run(f"CREATE TABLE {self.part()} PARTITION OF {name} {which}")
        elif kind == "bag":
            self.run(f"ALTER TABLE {name} REPLICA IDENTITY FULL")
        if self.chance.random() < 0.3:
            # Kept outside of the row, and not sent by an update that leaves it alone.
            self.run(f"ALTER TABLE {name} ALTER COLUMN big SET STORAGE EXTERNAL")
        self.fill(name, names)

    def part(self):
        self.next_part += 1
        return f"parts.p{self.next_part}"

    def anew(self, name):
        self.run(f"DROP TABLE {name}")
        self.make(name)

    def another(self, _name):
        if len(self.tables) < 6:
            self.make(f"t{self.next_table}")
            self.next_table += 1

    def table(self, name):
        new = f"t{self.next_table}"
        self.next_table += 1
        self.run(f"ALTER TABLE {name} RENAME TO {new}")
        for kept in (self.tables, self.kinds, self.keys):
            kept[new] = kept.pop(name)

    def swap(self, name):
        other = self.chance.choice(list(self.tables))
        if other != name:
            self.run(f"ALTER TABLE {name} RENAME TO swapped; ALTER TABLE {other} RENAME TO {name}; ALTER TABLE swapped RENAME TO {other}")
            for kept in (self.tables, self.kinds, self.keys):
                kept[name], kept[other] = kept[other], kept[name]

    def part_made(self, name):
        if self.kinds[name] == "parts":
            self.run(f"CREATE TABLE {self.part()} PARTITION OF {name} {self.next_range()}; INSERT INTO {name} (id) VALUES ({self.first})")

    def attach(self, name):
        """A table with rows becomes a partition."""
        if self.kinds[name] == "parts":
            part, values = self.part(), self.next_range()
            self.run(f"CREATE TABLE {part} (LIKE {name}); INSERT INTO {part} (id) VALUES ({self.first})")
            self.run(f"ALTER TABLE {name} ATTACH PARTITION {part} {values}")

    def next_range(self):
        self.first += 5
        return f"FOR VALUES FROM ({self.first}) TO ({self.first + 5})"

    # Rows.

    def key(self, name):
        self.run(f"UPDATE {name} SET id = id + 100000 WHERE id % 7 = {self.chance.randrange(7)} AND id < 100000")

    def twice(self, name):
        if self.kinds[name] == "bag":
            self.run(f"INSERT INTO {name} SELECT * FROM {name} WHERE id % 4 = 0 AND id < 100000 ORDER BY id LIMIT 5")

    def large(self, name):
        self.run(f"UPDATE {name} SET big = repeat('{self.chance.randrange(10)}', {self.chance.choice((1, 5000))}) "
                 f"WHERE id % 3 = {self.chance.randrange(3)}")

    # Columns, and what tells rows apart.

    def alter(self, name, how):
        if column := self.column(name):
            self.run(f"ALTER TABLE {name} ALTER COLUMN {column} TYPE {how.format(column)}")

    def widen(self, name):
        self.alter(name, "bigint")

    def text(self, name):
        """And back: its values are what they were, but each row is another."""
        if column := self.column(name):
            for kind in ("text", f"bigint USING {column}::bigint"):
                self.run(f"ALTER TABLE {name} ALTER COLUMN {column} DROP DEFAULT, ALTER COLUMN {column} TYPE {kind}")

    def rewrite(self, name):
        self.alter(name, "bigint USING {0} + 1")

    def identity(self, name):
        if self.kinds[name] == "key":
            self.run(f"ALTER TABLE {name} REPLICA IDENTITY {self.chance.choice(('FULL', 'DEFAULT'))}")

    def unkey(self, name):
        """The rows are told apart by all columns from now on."""
        if self.kinds[name] == "key":
            self.run(f"ALTER TABLE {name} REPLICA IDENTITY FULL; ALTER TABLE {name} DROP CONSTRAINT {self.keys[name]}")
            self.kinds[name] = "unkeyed"

    def rekey(self, name):
        if self.kinds[name] == "unkeyed":
            self.run(f"ALTER TABLE {name} ADD CONSTRAINT {self.keys[name]} PRIMARY KEY (id)")
            self.kinds[name] = "key"
            self.identity(name)

    def vacuum(self, name):
        if self.batch is None:
            self.run(f"VACUUM FULL {name}")

    # In transactions.

    def turn(self):
        if self.chance.random() < 0.75:
            return self.change()
        before = copy.deepcopy((self.tables, self.kinds, self.keys))
        self.said.append("BEGIN")
        self.batch = ["BEGIN"]
        for _ in range(self.chance.randrange(1, 5)):
            self.change()
        end = self.chance.choices(("COMMIT", "ROLLBACK"), (7, 3))[0]
        statements, self.batch = [*self.batch, end], None
        self.database.run("; ".join(statements))
        self.said.append(end)
        if end == "ROLLBACK":
            self.tables, self.kinds, self.keys = before
        return None


@pytest.mark.parametrize("walk", range(WALKS))
def test_in_the_end_every_table_is_what_the_source_has(database, instance, walk):
    database.run("CREATE SCHEMA parts")
    PostgresWalk(database, instance, SEED + walk).go()
