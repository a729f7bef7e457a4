"""Random walks through what may happen to a table with masks at the source, at any moment of its stream: names that
columns exchange, get back, lose and get again, copies anew, kills. What is masked is nowhere in clear, whatever
happened; and at the end the table is what the masks make of the source's.

BIWA_WALKS sets how many walks follow one another (2), BIWA_SEED with which the first one begins: the same ones say
whether something has broken, others find what nobody has thought of."""
import hashlib
import hmac
import json
import os
import random
import re
import time

from harness.wait import wait_until

SEED = int(os.environ.get("BIWA_SEED", "1"))
WALKS = int(os.environ.get("BIWA_WALKS", "2"))
STEPS = 24

KEY = "a key that only this test knows"
# Names that columns may have by the way, and what is to become of what is called so.
MASKS = {"s1": "hash", "s2": "null", "s3": "drop", "s4": "hash", "t1": "truncate 3"}
CLEAR = ["c1", "c2", "c3", "c4"]
UNNAMED = ["u1", "u2"]


def masked_text(mask, text):
    """What is here of a text that is not NULL."""
    if mask is None:
        return text
    if mask == "hash":
        return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
    return text[:3] if mask.startswith("truncate") else None


class MaskWalk:
    """Through a table of PostgreSQL."""

    FIRST, LAST = "id = (SELECT min(id) FROM m)", "id = (SELECT max(id) FROM m)"
    # How streams call what is in the database, and where names of columns may leave out.
    schema, prefix = "public", ""

    def __init__(self, database, instance, seed, by_default):
        self.database, self.instance, self.chance = database, instance, random.Random(seed)
        self.by_default = by_default
        self.masks, self.clear = dict(MASKS), list(CLEAR)
        self.by_table = set(self.chance.sample([*MASKS, *CLEAR], self.chance.choice([0, 5, 9])))
        self.columns = []
        self.values = self.ids = 0
        self.steps = []  # what was done, for whoever reads a failure

    # The project.

    def mask_of(self, column):
        if column in self.masks:
            return self.masks[column]
        return "null" if self.by_default and column not in ["id", *self.clear] else None

    def write_stream(self):
        """Some of the table's columns by their full names, all others of whatever table."""
        def full(column):
            return f"{self.prefix}m.{column}" if column in self.columns and column in self.by_table else f'"*.{column}"'

        self.instance.write("secrets/masks.key", KEY + "\n", 0o600)
        self.instance.write("streams/app.yaml", "".join([
            f"connection: app_db\ndataset: app\ntables: [\"{self.schema}.*\"]\ndiscover_every: 200ms\n",
            "mask_key: ${file:secrets/masks.key}\n", "mask: by_default\n" if self.by_default else "", "masks:\n",
            *(f"  {full(column)}: {mask}\n" for column, mask in self.masks.items()),
            "clear: [", ", ".join(f'"{self.prefix}{name}"' for name in ["biwa_test_marker.*", "m.id", "all_names.id"]), ", ",
            ", ".join(map(full, self.clear)), "]\n"]))

    def mend(self, said):
        """As the message tells whoever reads it: the column's new name is masked too."""
        self.steps.append(f"stopped: {said}")
        table = re.escape(f"{self.schema}.m")
        found = (re.search(rf"column \w+ of {table} was masked, and is called (\w+) now", said)
                 or re.search(rf"[\w.]+ is masked and has gone, and {table}\.(\w+) is new", said)
                 or re.search(r"mask (\w+(?: and \w+)*) as well", said))
        assert found, said
        self.mask_more(found[1].split(" and "))
        self.apply()

    def mask_more(self, columns):
        for column in columns:
            # One that has a mask shows more by it than by the one before.
            self.masks[column] = "null" if self.masks.get(column) != "null" else "hash"
            if column in self.clear:
                self.clear.remove(column)

    def apply(self):
        self.write_stream()
        done = self.instance.command("apply", "--yes")
        self.steps.append(f"apply: {done.returncode} {done.stderr[-300:]}")
        if done.returncode != 0:
            self.mend(done.stderr)

    def sync(self):
        """Until all is here and copied, however often it has to be mended."""
        if not self.instance.is_running():
            self.instance.start()
        for _ in range(12):
            try:
                self.instance.sync(30)
                self.instance.settle(30)
                self.instance.sync(30)
                return
            except AssertionError:
                error = (self.instance.stream() or {}).get("error")
                if not error or self.instance.stream()["state"] != "failed":
                    raise
            self.mend(error["message"])
            wait_until(lambda: self.instance.stream()["state"] != "failed", self.instance.log, 10)
        raise AssertionError("one mend after the other")

    # The source.

    def sql(self, *statements):
        """In one transaction."""
        text = "; ".join(statements)
        self.steps.append(text if len(text) < 500 else text[:500] + " …")
        self.database.run(f"BEGIN; {text}; COMMIT")

    def value(self, column):
        """One in six is stored apart, and left out of changes of other columns."""
        self.values += 1
        word = "kakusu" if self.mask_of(column) else "shown"
        long = "".join(self.chance.choices("abcdefghij", k=4000)) if self.chance.random() < 1 / 6 else ""
        return f"'{word}-{column}-{self.values}-{long}'"

    def insert(self, count=1):
        rows = []
        for _ in range(count):
            self.ids += 1
            rows.append(f"({', '.join([str(self.ids), *map(self.value, self.columns)])})")
        return f"INSERT INTO m ({', '.join(['id', *self.columns])}) VALUES {', '.join(rows)}"

    def change(self):
        return self.chance.choice([
            lambda: self.insert(self.chance.randint(1, 3)),
            lambda: self.update(self.chance.choice(self.columns)),
            lambda: self.update(self.chance.choice(self.columns)),
            lambda: f"UPDATE m SET id = id + {100_000 + self.values} WHERE {self.FIRST}",
            lambda: f"DELETE FROM m WHERE {self.LAST}",
        ])()

    def update(self, column):
        return f"UPDATE m SET {column} = {self.value(column)} WHERE id % 2 = {self.chance.randint(0, 1)}"

    @staticmethod
    def rename(before, now):
        return f"ALTER TABLE m RENAME COLUMN {before} TO {now}"

    def free(self):
        return [name for name in [*MASKS, *CLEAR, *UNNAMED] if name not in self.columns]

    def make(self):
        self.columns = self.chance.sample([*MASKS, *CLEAR, *UNNAMED], self.chance.randint(4, 7))
        columns = [f"{column} text" for column in self.columns]
        columns.insert(self.place_of_key(len(columns)), "id int PRIMARY KEY")
        self.sql(f"CREATE TABLE m ({', '.join(columns)})", self.insert(3))
        self.choose_identity()

    def place_of_key(self, columns):
        return self.chance.randint(0, columns)

    def choose_identity(self):
        if self.chance.random() < 0.3:
            self.sql("ALTER TABLE m REPLICA IDENTITY FULL")

    def names_change(self):
        """Whatever was read by then."""

    def call_otherwise(self):
        at, now = self.chance.randrange(len(self.columns)), self.chance.choice(self.free())
        before, self.columns[at] = self.columns[at], now
        self.sql(self.rename(before, now), *([self.update(now)] if self.chance.random() < 0.4 else []))
        return at, before, now

    def call_otherwise_for_a_while(self):
        at, before, now = self.call_otherwise()
        for _ in range(self.chance.randint(0, 2)):
            self.sql(self.change())
        self.wait()
        self.names_change()
        self.sql(self.rename(now, before))
        self.columns[at] = before

    def exchange_names(self):
        places = self.chance.sample(range(len(self.columns)), self.chance.randint(2, min(3, len(self.columns))))
        names = [self.columns[place] for place in places]
        self.exchange(places, names)

    def exchange(self, places, names):
        statements = [self.rename(name, f"{name}_for_now") for name in names]
        for place, before, now in zip(places, names, names[1:] + names[:1]):
            statements.append(self.rename(f"{before}_for_now", now))
            self.columns[place] = now
        if self.chance.random() < 0.6:
            self.sql(*statements)
        else:
            for statement in statements:
                self.sql(statement)

    def drop(self):
        if len(self.columns) > 2:
            column = self.columns.pop(self.chance.randrange(len(self.columns)))
            self.sql(f"ALTER TABLE m DROP COLUMN {column}")

    def add(self):
        if len(self.columns) < 8:
            column = self.chance.choice(self.free())
            default = f" DEFAULT ({self.value(column)})" if self.chance.random() < 0.5 else ""
            self.columns.append(column)
            # Of a name that no row was written under nobody hears (docs/masks.md, Limits).
            self.sql(f"ALTER TABLE m ADD COLUMN {column} text{default}", *([self.insert()] if default else []))

    def make_anew(self):
        """What the new one's columns are called before it is noticed nobody hears (docs/masks.md, Limits)."""
        self.sql("DROP TABLE m")
        self.make()
        self.sync()
        # One that is paused is noticed when it is resumed.
        self.resume()
        self.sync()

    # The instance.

    def wait(self):
        """Not at all, or so that it may have looked, or until all is here."""
        how = self.chance.random()
        if how < 0.2:
            self.sync()
        elif how < 0.5:
            time.sleep(self.chance.choice([0.1, 0.4]))

    def kill(self):
        if self.instance.is_running():
            self.steps.append("kill")
            self.instance.kill()
        else:
            self.instance.start()

    def stop(self):
        if self.instance.is_running():
            self.steps.append("stop")
            assert self.instance.stop() == 0
        else:
            self.instance.start()

    def copy_anew(self):
        if self.instance.is_running():
            self.steps.append("recopy")
            self.instance.command("stream", "recopy", "app", "m")

    def pause_for_a_while(self):
        if self.instance.is_running():
            self.steps.append("pause")
            self.instance.command("stream", "pause", "app", "m")
            self.chance.choice([self.call_otherwise, self.exchange_names, lambda: self.sql(self.change())])()
            self.wait()
            self.resume()

    def resume(self):
        if self.instance.is_running():
            self.steps.append("resume")
            self.instance.command("stream", "resume", "app", "m")

    # What has to hold.

    def table(self):
        return next((one for one in self.instance.stream()["tables"] if one["name"] == "m"), {"state": ""})

    def check_nothing_is_clear(self):
        instance = self.instance
        for schema, table in instance.query("SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"):
            shown = instance.query(f'SELECT x::text FROM "{schema}"."{table}" AS x WHERE x::text LIKE \'%kakusu%\' LIMIT 1')
            assert not shown, (schema, table, shown[0][0][:300])
        assert "kakusu" not in json.dumps(instance.status())

    def check_all_is_here(self):
        table = self.table()
        assert table["state"] == "live", table
        for column in ["id", *self.columns]:
            mask = self.mask_of(column)
            if mask == "drop":
                continue
            there = {row: text if text is None or column == "id" else masked_text(mask, text)
                     for row, text in self.database.run(f"SELECT id, {column} FROM m")}
            here = dict(self.instance.query(f"SELECT id, {column} FROM app.m"))
            assert here == there, (column, mask)

    def run(self):
        names = ", ".join(f"{name} text" for name in [*MASKS, *CLEAR, *UNNAMED])
        self.sql(f"CREATE TABLE all_names (id int PRIMARY KEY, {names})")
        self.make()
        self.write_stream()
        self.sync()
        for _ in range(STEPS):
            what = self.chance.choices(
                [lambda: self.sql(self.change()), self.wait, self.call_otherwise, self.call_otherwise_for_a_while,
                 self.exchange_names, self.drop, self.add, self.make_anew, self.kill, self.stop, self.copy_anew,
                 self.pause_for_a_while],
                [34, 10, 14, 5, 8, 4, 5, 2, 8, 4, 6, 4])[0]
            what()
        self.sync()
        self.resume()
        # A name that a column has got comes with the next row.
        self.sql(self.insert())
        self.sync()
        self.check_all_is_here()
        self.check_nothing_is_clear()
        self.instance.kill()
        for file in [*(self.instance.folder / ".biwa").rglob("*"), self.instance.log_path]:
            assert not file.is_file() or b"kakusu" not in file.read_bytes(), file.name


class MariaDbMaskWalk(MaskWalk):
    """Through a table of MariaDB or MySQL. Columns have no numbers there, and what names they got while nobody hears
    the log (docs/masks.md, Limits) is told by their order: names change there once, and then all has to be here."""

    FIRST, LAST = "true ORDER BY id LIMIT 1", "true ORDER BY id DESC LIMIT 1"

    def __init__(self, database, instance, seed, by_default):
        super().__init__(database, instance, seed, by_default)
        self.schema, self.prefix = database.name, f"{database.name}."
        self.is_heard = False

    def sync(self):
        """Also where the table alone is left out until somebody has looked."""
        for _ in range(12):
            super().sync()
            table = self.table()
            if table["state"] != "gone":
                self.is_heard = table["state"] == "live"
                return
            self.mend(json.dumps(table))
        raise AssertionError(f"one mend after the other: {self.table()}")

    def place_of_key(self, columns):
        """Between others it would come to stand where a masked one was, and could not be masked."""
        return 0

    def choose_identity(self):
        """There is none."""

    def names_change(self):
        if not self.is_heard:
            self.sync()
        self.is_heard = False

    def call_otherwise(self):
        self.names_change()
        return super().call_otherwise()

    def exchange(self, places, names):
        self.names_change()
        now = names[1:] + names[:1]
        how = self.chance.random()
        if how < 0.4:
            super().exchange(places, names)
            return
        all_at_once = "ALTER TABLE {} " + ", ".join(f"RENAME COLUMN {a} TO {b}" for a, b in zip(names, now))
        before = list(self.columns)
        for place, name in zip(places, now):
            self.columns[place] = name
        if how < 0.7:
            self.sql(all_at_once.format("m"))
        else:
            # As pt-online-schema-change does it.
            self.sql("CREATE TABLE _m_new LIKE m", all_at_once.format("_m_new"),
                     f"INSERT INTO _m_new (id, {', '.join(self.columns)}) SELECT id, {', '.join(before)} FROM m",
                     "RENAME TABLE m TO _m_old, _m_new TO m", "DROP TABLE _m_old")

    def drop(self):
        self.is_heard = False
        super().drop()

    def add(self):
        self.is_heard = False
        super().add()

    def copy_anew(self):
        self.is_heard = False
        super().copy_anew()
