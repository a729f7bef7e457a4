"""What random walks through statements of an application have in common, whatever its database: tables that it alters, drops and makes,
changes between that, and Biwa stopped, killed or copying anew at any moment. In the end every table is what the source has, and what its
history says of now. BIWA_SEED repeats a walk, BIWA_WALKS does more of them."""
import os
import random
import time

from harness.wait import wait_until

SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))
WALKS = int(os.environ.get("BIWA_WALKS", "1"))
STEPS = 60


class Walk:
    """A subclass says in WHAT how likely its statements are, and has a method of each name; its make() makes a table."""

    WHAT = {}
    ALWAYS = ()  # columns that every table has besides `id`

    def __init__(self, database, instance, seed, variant=""):
        self.database, self.instance = database, instance
        self.chance = random.Random(f"{seed} {variant}")
        self.title = f"BIWA_SEED={seed} {variant}"
        self.tables = {}  # name -> columns behind `id`, of those that are there
        self.next_id, self.next_column = 1, 1
        self.said = []
        self.has_history = self.chance.random() < 0.5
        if self.has_history:
            stream = instance.folder / "streams/app.yaml"
            stream.write_text(stream.read_text() + "mode: history\n")

    def run(self, sql):
        self.said.append(sql)
        self.database.run(sql)

    # What statements are made of.

    def number(self):
        return self.chance.choice(("NULL", str(self.chance.randrange(100))))

    def value(self, _name, _column):
        return self.number()

    def insert_values(self, name):
        names = [c for c in self.tables[name] if self.chance.random() < 0.6]
        self.next_id += 1
        return (f"INSERT INTO {name} (id{''.join(', ' + c for c in names)}) "
                f"VALUES ({self.next_id}{''.join(', ' + self.value(name, c) for c in names)})")

    def columns(self):
        """Of a new table."""
        names = self.chance.sample(["a", "b", "c"], self.chance.randrange(1, 4))
        return names, "".join(f", {c} int DEFAULT {self.number()}" for c in names)

    def fill(self, name, names):
        self.tables[name] = names
        for _ in range(self.chance.randrange(3)):
            self.insert(name)

    def column(self, name):
        return self.chance.choice(self.tables[name]) if self.tables[name] else None

    # Statements that both kinds of databases have.

    def insert(self, name):
        self.run(self.insert_values(name))

    def delete(self, name):
        self.run(f"DELETE FROM {name} WHERE id % 5 = {self.chance.randrange(5)}")

    def update(self, name):
        if column := self.column(name):
            self.run(f"UPDATE {name} SET {column} = {self.number()} WHERE id % 3 = {self.chance.randrange(3)}")

    def add(self, name, new=None, place=""):
        if new is None:
            new = f"n{self.next_column}"
            self.next_column += 1
        if new not in self.tables[name]:
            self.run(f"ALTER TABLE {name} ADD COLUMN {new} int DEFAULT {self.number()}{place}")
            self.tables[name].append(new)

    def again(self, name):
        """A column of a name that there was, here or elsewhere."""
        self.add(name, f"n{self.chance.randrange(self.next_column)}")

    def default(self, name):
        if column := self.column(name):
            self.run(f"ALTER TABLE {name} ALTER COLUMN {column} SET DEFAULT {self.number()}")

    def drop(self, name):
        if column := self.column(name):
            self.run(f"ALTER TABLE {name} DROP COLUMN {column}")
            self.tables[name].remove(column)

    def rename(self, name):
        if column := self.column(name):
            new = f"n{self.next_column}"
            self.next_column += 1
            self.run(f"ALTER TABLE {name} RENAME COLUMN {column} TO {new}")
            self.tables[name][self.tables[name].index(column)] = new

    def truncate(self, name):
        self.run(f"TRUNCATE TABLE {name}")

    # The walk.

    def change(self):
        name = self.chance.choice(list(self.tables))
        getattr(self, self.chance.choices(list(self.WHAT), list(self.WHAT.values()))[0])(name)

    def turn(self):
        self.change()

    def go(self):
        try:
            self.instance.start()
            for _ in range(STEPS):
                self.turn()
                self.trouble()
            self.check()
        except BaseException:
            print(f"{self.title}{' history' if self.has_history else ''}\n" + ";\n".join(self.said) + "\n" + self.instance.log())
            raise

    def trouble(self):
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
            assert getattr(self.instance, what)() in (None, 0), what
            for _ in range(self.chance.randrange(6)):
                self.turn()
            self.instance.start()

    # What is here of a table.

    def which_rows(self, _name):
        return ""

    def seen_as(self, _name, _column, value):
        return str(value)

    def check(self):
        # A column that has come is seen with the table's next change.
        for name in self.tables:
            self.insert(name)
        self.instance.sync()
        self.instance.settle()
        for name, columns in self.tables.items():
            names = ", ".join(["id", *columns, *self.ALWAYS])
            asked = f"SELECT {names} FROM {{}} ORDER BY {names}"
            theirs = self.database.run(f"SELECT {names} FROM {name}{self.which_rows(name)}")
            theirs = sorted([self.seen_as(name, column, value) for column, value in zip(["id", *columns, *self.ALWAYS], row)] for row in theirs)

            def here(table):
                return sorted([str(value) for value in row] for row in self.instance.query(asked.format(table)))

            self.eventually(lambda: here(f"app.{name}"), theirs, name)
            if self.has_history:
                # It begins anew behind a copy with the changes that catch up.
                self.eventually(lambda: here(f"app_history.{name}(now())"), theirs, f"the history of {name}")
                assert self.instance.query(f"SELECT _commit, _sequence, _op FROM app_changes.{name} WHERE _op <> 'copy' GROUP BY ALL "
                                           "HAVING count(*) > 1") == [], name

    def eventually(self, read, wanted, what):
        """What is copied anew is taken over when it is whole."""
        def same():
            try:
                return read() == wanted
            except Exception:  # asked again below
                return False

        try:
            wait_until(same, lambda: what, 15)
        except AssertionError:
            here = read()
            assert here == wanted, f"{what}: {[row for row in here if row not in wanted]} only here, " \
                                   f"{[row for row in wanted if row not in here]} only there, {len(here)} and {len(wanted)} rows"
