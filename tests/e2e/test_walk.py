"""Random walks through statements of PostgreSQL (harness/walk.py): by themselves, and in transactions, of which some are rolled back."""
import copy

import pytest

from harness.mask_walk import KEY, masked_text
from harness.walk import SEED, WALKS, Walk


class PostgresWalk(Walk):
    WHAT = {"insert": 20, "update": 12, "delete": 4, "key": 4, "large": 5, "add": 14, "again": 5, "default": 5, "drop": 8, "truncate": 2,
            "anew": 4, "rename": 5, "widen": 4, "text": 2, "rewrite": 2, "swap": 3, "table": 4, "another": 2, "identity": 4, "unkey": 3,
            "rekey": 3, "twice": 2, "part_made": 2, "attach": 2, "vacuum": 1}

    ALWAYS = ("big",)
    step = 100000  # by which a key is moved

    def __init__(self, database, instance, seed, variant=""):
        super().__init__(database, instance, seed, variant)
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

    def other(self):
        return self.chance.choice(list(self.tables))

    def swap(self, name):
        other = self.other()
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
        self.run(f"UPDATE {name} SET id = id + {self.step} WHERE id % 7 = {self.chance.randrange(7)} AND id < 100000")

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


class PartWalk(PostgresWalk):
    """Of t0, which keeps its name, some rows are followed."""

    step, ends = 100001, False

    def __init__(self, database, instance, seed, variant):
        super().__init__(database, instance, seed, variant)
        stream = instance.folder / "streams/app.yaml"
        stream.write_text(stream.read_text() + "only: { public.t0: { where: id % 2 = 0 } }\n")

    def table(self, name):
        if name != "t0":
            super().table(name)

    def swap(self, name):
        if name != "t0":
            super().swap(name)

    def other(self):
        return self.chance.choice([name for name in self.tables if name != "t0"])

    def insert(self, name):
        if name == "t0" and self.ends:
            self.next_id |= 1  # the next one is of the part, and tells what columns there are
        super().insert(name)

    def check(self):
        self.ends = True
        super().check()

    def which_rows(self, name):
        return " WHERE id % 2 = 0" if name == "t0" else ""


class MaskedWalk(PostgresWalk):
    """The values of columns s… are hashed, and those of y…, which nobody has named, are NULL, from the first moment on."""

    WHAT = {**PostgresWalk.WHAT, "conceal": 8, "secret": 12, "forget": 4, "call": 5, "exchange": 3, "unveil": 4, "veil": 3}

    def __init__(self, database, instance, seed, variant):
        super().__init__(database, instance, seed, variant)
        stream = instance.folder / "streams/app.yaml"
        instance.write("secrets/masks.key", KEY + "\n", 0o600)
        stream.write_text(stream.read_text() + """\
mask: by_default
mask_key: ${file:secrets/masks.key}
masks: { "*.s*": hash }
clear: [biwa_test_marker.*, "*.id", "*.big", "*.a", "*.b", "*.c", "*.n*"]
""")

    def column(self, name, kind="abcn"):
        columns = [column for column in self.tables[name] if column[0] in kind]
        return self.chance.choice(columns) if columns else None

    def value(self, name, column):
        return f"'secret-{self.chance.randrange(100)}'" if column[0] in "sy" else super().value(name, column)

    def another_secret(self):
        self.next_column += 1
        return f"{self.chance.choice('ssy')}{self.next_column}"

    def called(self, name, column, new):
        self.tables[name][self.tables[name].index(column)] = new
        return f"ALTER TABLE {name} RENAME COLUMN {column} TO {new}"

    def conceal(self, name):
        new = self.another_secret()
        self.run(f"ALTER TABLE {name} ADD COLUMN {new} text DEFAULT {self.chance.choice(('NULL', self.value(name, new)))}")
        self.tables[name].append(new)

    def secret(self, name):
        if column := self.column(name, "sy"):
            self.run(f"UPDATE {name} SET {column} = {self.value(name, column)} WHERE id % 3 = {self.chance.randrange(3)}")

    def forget(self, name):
        if column := self.column(name, "sy"):
            self.run(f"ALTER TABLE {name} DROP COLUMN {column}")
            self.tables[name].remove(column)

    def call(self, name):
        if column := self.column(name, "sy"):
            self.run(self.called(name, column, self.another_secret()))

    def exchange(self, name):
        one, other = self.column(name, "sy"), self.column(name, "sy")
        if one != other:
            self.run("; ".join((self.called(name, one, "s0"), self.called(name, other, one), self.called(name, "s0", other))))

    def unveil(self, name):
        """A secret has a name that is clear, for a while."""
        if column := self.column(name, "sy"):
            self.next_column += 1
            there = self.called(name, column, f"n{self.next_column}")
            self.next_id += 1
            self.run(f"{there}; INSERT INTO {name} (id, n{self.next_column}) VALUES ({self.next_id}, 'secret-unveiled'); "
                     + self.called(name, f"n{self.next_column}", column))

    def veil(self, name):
        if column := self.column(name):
            new = self.another_secret()
            self.run(self.called(name, column, new))
            self.run(f"ALTER TABLE {name} ALTER COLUMN {new} DROP DEFAULT, ALTER COLUMN {new} TYPE text")

    def seen_as(self, name, column, value):
        if value is None or column[0] == "y":
            return "None"
        return masked_text("hash", value) if column[0] == "s" else super().seen_as(name, column, value)

    def go(self):
        try:
            super().go()
        except AssertionError as error:
            # Where a column was dropped from a table that is not followed just then it cannot always be told which one had a masked name.
            if "Nothing of it was copied" not in str(error):
                raise
            self.is_secret()
            pytest.skip(str(error)[:300])

    def trouble(self):
        super().trouble()
        if self.chance.random() < 0.2:
            self.is_secret()

    def check(self):
        super().check()
        self.is_secret()

    def is_secret(self):
        for file in [*(self.instance.folder / ".biwa").rglob("*"), self.instance.log_path]:
            # Files come and go.
            try:
                assert b"secret-" not in file.read_bytes(), file
            except (FileNotFoundError, IsADirectoryError):
                pass


@pytest.mark.parametrize("walk", range(WALKS))
@pytest.mark.parametrize("kind", [PostgresWalk, PartWalk, MaskedWalk])
def test_in_the_end_every_table_is_what_the_source_has(database, instance, kind, walk):
    database.run("CREATE SCHEMA parts")
    kind(database, instance, SEED + walk, kind.__name__).go()
