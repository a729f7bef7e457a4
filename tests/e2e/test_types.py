"""What the warehouse keeps as text must be the text that PostgreSQL itself writes, byte for byte,
whether the value was copied, followed in binary or followed as text: thousands of values, by seed."""
import random
import struct

import pytest

# What Biwa's connections ask for (src/source/postgres/connection.cc).
SETTINGS = ("SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'UTC';"
            "SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C';")

TYPES = """
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
CREATE TYPE mood AS ENUM ('sad', 'o"k', '嬉しい');
CREATE DOMAIN percent AS numeric(5,2);
CREATE TYPE inner_pair AS (a int, b text);
CREATE TYPE pair AS (a float8, "名" text, p inner_pair, l inner_pair[], r int4range);
CREATE TYPE everything AS (b bool, y bytea, c "char", i2 int2, i8 int8, f4 real, f8 float8, n numeric,
    m money, j jsonb, d date, t time, tz timetz, ts timestamp, tstz timestamptz, i interval, u uuid,
    e mood, dm percent, h hstore, ci citext, ar text[], nr numrange, o oid, v char(4));
CREATE DOMAIN pair_domain AS pair;
CREATE TYPE textrange AS RANGE (subtype = text, multirange_type_name = textmultirange);
CREATE TYPE pairrange AS RANGE (subtype = inner_pair);
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
"""

WORDS = ["", "a", "A b", "NULL", "null", "日本", "it's", 'q"q', "back\\slash", "a,b", "{x}", "(y)", "[z]",
         "\t", "\n", "'", "\\", '"', "x=>y", "😀", "%s", "tail ", " head", ";"]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Values:
    """SQL of random values of a type."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, values):
        return self.random.choice(values)

    def maybe(self, sql, kind):
        return f"NULL::{kind}" if self.random.random() < 0.15 else sql

    def word(self):
        return quoted(self.pick(WORDS) + self.pick(["", "", self.pick(WORDS)]))

    def float8(self):
        kind = self.random.randrange(6)
        if kind == 0:
            value = self.pick(["NaN", "Infinity", "-Infinity", "-0", "0", "1e15", "1e14", "9e23", "123456789012345",
                               "0.0001", "0.00001", "5e-324", "1.7976931348623157e308", "2.2250738585072014e-308"])
        elif kind == 1:
            value = repr(struct.unpack("<d", self.random.getrandbits(64).to_bytes(8, "little"))[0])
        elif kind == 2:
            value = repr(float(2 ** self.random.randrange(-60, 90)))
        elif kind == 3:  # half way between two neighbours, in decimals
            value = f"{self.random.randrange(1, 10)}e{self.random.randrange(15, 25)}"
        elif kind == 4:
            value = str(self.random.randrange(-10 ** 6, 10 ** 6) / 1000)
        else:
            value = str(self.random.randrange(-2 ** 63, 2 ** 63))
        value = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(value, value)
        return f"'{value}'::float8"

    def float4(self):
        kind = self.random.randrange(3)
        if kind == 0:
            value = str(self.pick(["NaN", "Infinity", "-0", "1e6", "100000", "1e-45", "3.4028235e38", "16777216",
                                   "33554432", "0.0001", "0.00001234"]))
        elif kind == 1:
            value = struct.unpack("<f", self.random.getrandbits(32).to_bytes(4, "little"))[0]
            value = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), f"{value:.9g}")
        else:
            value = f"{2.0 ** self.random.randrange(-30, 60):.9g}"
        return f"'{value}'::float4"

    def numeric(self):
        kind = self.random.randrange(4)
        if kind == 0:
            return "'" + self.pick(["NaN", "Infinity", "-Infinity", "0", "0.000", "10000", "1e30", "1e-30"]) + "'::numeric"
        digits = "".join(self.random.choices("0000123456789", k=self.random.randrange(1, 40)))
        point = self.random.randrange(len(digits) + 1)
        return f"'{self.pick(['', '-'])}{digits[:point] or '0'}.{digits[point:] or '0'}'::numeric"

    def money(self):
        cents = self.pick([0, 1, -1, 99, -100, 12345678, 2 ** 63 - 1, -2 ** 63, self.random.randrange(-10 ** 12, 10 ** 12)])
        return f"('{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}')::money"

    def date(self):
        return self.pick([f"'{self.pick(['infinity', '-infinity', '0001-12-31 BC', '4714-11-24 BC', '5874897-12-31'])}'::date",
                          f"(date '2000-01-01' + {self.random.randrange(-800000, 3000000)})"])

    def timestamp(self, kind="timestamp"):
        return self.pick([f"'{self.pick(['infinity', '-infinity', '0044-03-15 12:00:00.5 BC', '294276-12-31 23:59:59.999999'])}'::{kind}",
                          f"({kind} '2000-01-01' + interval '{self.random.randrange(-6 * 10 ** 16, 10 ** 17)} us')"])

    def time(self):
        return f"'{self.pick(['00:00', '24:00', '23:59:59.999999', '12:34:56.7', '01:02:03.040500'])}'::time"

    def timetz(self):
        zone = self.pick(["+00", "-00:30", "+09", "+05:30", "-03:30:15", "+15:59:59", "-15:59:59", "+14"])
        return f"('{self.pick(['00:00', '24:00', '23:59:59.999999', '12:34:56.7'])}' || '{zone}')::timetz"

    def interval(self):
        r = self.random.randrange
        return self.pick([
            "interval '0'",
            f"make_interval(months => {r(-30, 30)}, days => {r(-40, 40)}, secs => {r(-10 ** 9, 10 ** 9) / 1000})",
            f"make_interval(years => {r(-9999, 9999)})", f"make_interval(secs => {r(-10 ** 7, 10 ** 7) / 10 ** 6})",
            f"make_interval(hours => {r(-100, 100)}, mins => {r(-100, 100)})",
            f"make_interval(months => {2 ** 31 - 1}, days => {-2 ** 31})"])

    def inet(self, kind="inet"):
        if self.random.random() < 0.5:
            words = [self.pick([0, 0, 0, 1, 0xffff, 0x2001, self.random.getrandbits(16)]) for _ in range(8)]
            address, most = ":".join(f"{word:x}" for word in words), 128
        else:
            address, most = ".".join(str(self.random.getrandbits(8)) for _ in range(4)), 32
        text = f"'{address}/{self.pick([most, most, 0, self.random.randrange(most + 1)])}'"
        return f"network({text}::inet)" if kind == "cidr" else f"{text}::inet"

    def bits(self):
        return "B'" + "".join(self.random.choices("01", k=self.random.randrange(0, 40))) + "'::varbit"

    def point(self):
        return f"point({self.float8()}, {self.float8()})"

    def points(self):
        return ",".join(f"({self.random.randrange(-100, 100) / 8},{self.random.randrange(10) / 10})"
                        for _ in range(self.random.randrange(1, 5)))

    def lexeme(self):
        return quoted("'" + (self.pick(WORDS) or "x").replace("\\", "\\\\").replace("'", "''") + "'")

    def tsvector(self):
        words = " ".join("'" + (self.pick(WORDS) or "w").replace("\\", "\\\\").replace("'", "''") + "'"
                         + self.pick(["", ":1", ":2A,16383", ":3B,5C,7D"]) for _ in range(self.random.randrange(0, 5)))
        return f"{quoted(words)}::tsvector"

    def tsquery(self, depth=0):
        if depth > 4 or self.random.random() < 0.25:
            return f"({self.lexeme()} || {quoted(self.pick(['', ':*', ':A', ':BC', ':*D', ':ABCD']))})::tsquery"
        a, b = self.tsquery(depth + 1), self.tsquery(depth + 1)
        return self.pick([f"({a} && {b})", f"({a} || {b})", f"(!!{a})", f"({a} <-> {b})",
                          f"tsquery_phrase({a}, {b}, {self.random.randrange(0, 5)})"])

    def hstore(self):
        pairs = [f"hstore({self.word()}, {self.maybe(self.word(), 'text')})" for _ in range(self.random.randrange(0, 4))]
        return " || ".join(["''::hstore", *pairs])

    def int4range(self):
        low, high = sorted((self.random.randrange(-100, 100), self.random.randrange(-100, 100)))
        bound = self.pick(["[]", "[)", "(]", "()"])
        return f"int4range({self.maybe(str(low), 'int')}, {self.maybe(str(high), 'int')}, '{bound}')"

    def textrange(self):
        low, high = sorted((self.pick(WORDS), self.pick(WORDS)), key=lambda word: word.encode())
        return f"textrange({self.maybe(quoted(low), 'text')}, {self.maybe(quoted(high), 'text')}, '[]')"

    def tstzrange(self):
        return f"tstzrange(timestamptz '2026-01-01' + interval '{self.random.randrange(10 ** 9)} us', NULL)"

    def multirange(self):
        return "(" + " + ".join(f"int4multirange({self.int4range()})" for _ in range(self.random.randrange(1, 4))) + ")"

    def textmultirange(self):
        return f"textmultirange({self.textrange()})"

    def inner_pair(self):
        return f"ROW({self.maybe(str(self.random.randrange(-9, 9)), 'int')}, {self.maybe(self.word(), 'text')})::inner_pair"

    def pairrange(self):
        return f"pairrange({self.inner_pair()}, NULL)"

    def array(self, of, kind):
        many = self.random.randrange(0, 4)
        return f"ARRAY[{', '.join(self.maybe(of(), kind) for _ in range(many))}]::{kind}[]"

    def pair(self):
        return (f"ROW({self.maybe(self.float8(), 'float8')}, {self.maybe(self.word(), 'text')}, "
                f"{self.maybe(self.inner_pair(), 'inner_pair')}, {self.array(self.inner_pair, 'inner_pair')}, "
                f"{self.int4range()})::pair")

    def everything(self):
        parts = ["true", "'\\x00ff5c'::bytea", f"{quoted(self.pick(['a', '(', ' ', ',', '']))}::\"char\"",
                 str(self.random.randrange(-99, 99)), str(self.random.randrange(-2 ** 60, 2 ** 60)), self.float4(),
                 self.float8(), self.numeric(), self.money(), "'{\"a\": [1, \"x\"]}'::jsonb", self.date(), self.time(),
                 self.timetz(), self.timestamp(), self.timestamp("timestamptz"), self.interval(),
                 "gen_random_uuid()", f"'{self.pick(['sad', '嬉しい'])}'::mood", "12.5", self.hstore(),
                 f"{self.word()}::citext", self.array(self.word, "text"), "numrange(0.50, 1)", "4294967295::oid", "'é'"]
        return f"ROW({', '.join('NULL' if self.random.random() < 0.1 else part for part in parts)})::everything"


def kinds(values):
    """Name, type and what makes one value, of each type that is kept as text."""
    return [
        ("numeric", "numeric", values.numeric), ("timetz", "timetz", values.timetz), ("inet", "inet", values.inet),
        ("cidr", "cidr", lambda: values.inet("cidr")),
        ("mac", "macaddr", lambda: "'08:00:2b:01:02:ff'::macaddr"),
        ("mac8", "macaddr8", lambda: "'08:00:2b:01:02:03:04:ff'::macaddr8"),
        ("bits", "varbit", values.bits), ("bit5", "bit(5)", lambda: f"{values.random.randrange(32)}::bit(5)"),
        ("lsn", "pg_lsn", lambda: f"'{values.random.getrandbits(32):X}/{values.random.getrandbits(32):X}'::pg_lsn"),
        ("tid", "tid", lambda: "'(4294967295,65535)'::tid"), ("xid8", "xid8", lambda: "'18446744073709551615'::xid8"),
        ("xid", "xid", lambda: "'4294967295'::xid"),
        ("snap", "pg_snapshot", lambda: values.pick(["'10:20:'", "'10:20:10,14,15'"]) + "::pg_snapshot"),
        ("jsonpath", "jsonpath", lambda: "'$.a[*] ? (@ > 1)'::jsonpath"),
        ("xml", "xml", lambda: values.pick(["'<a>日本</a>'", "'<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>'", "'<?xml version=\"1.1\" standalone=\"yes\"?><b c=\"d\"/>'", "'text'"]) + "::xml"),
        ("point", "point", values.point), ("line", "line", lambda: f"line(point(0,1), point(1,{values.random.randrange(9)}))"),
        ("lseg", "lseg", lambda: f"lseg({values.point()}, {values.point()})"),
        ("box", "box", lambda: f"box({values.point()}, {values.point()})"),
        ("path", "path", lambda: values.pick([f"path '[{values.points()}]'", f"path '({values.points()})'"])),
        ("polygon", "polygon", lambda: f"polygon '({values.points()})'"),
        ("circle", "circle", lambda: f"circle(point({values.float8()}, 1), {values.random.randrange(99) / 7})"),
        ("tsvector", "tsvector", values.tsvector), ("tsquery", "tsquery", values.tsquery),
        ("int4range", "int4range", values.int4range), ("textrange", "textrange", values.textrange),
        ("tstzrange", "tstzrange", values.tstzrange), ("multirange", "int4multirange", values.multirange),
        ("textmulti", "textmultirange", values.textmultirange), ("pairrange", "pairrange", values.pairrange),
        ("citext", "citext", lambda: f"{values.word()}::citext"), ("hstore", "hstore", values.hstore),
        ("ltree", "ltree", lambda: values.pick(["''", "'a.b.c'", "'Top.日本'"]) + "::ltree"),
        ("lquery", "lquery", lambda: "'a.*{1,2}.b@*'::lquery"), ("ltxtquery", "ltxtquery", lambda: "'a & b*'::ltxtquery"),
        ("inner_pair", "inner_pair", values.inner_pair), ("pair", "pair", values.pair),
        ("pair_domain", "pair_domain", values.pair), ("everything", "everything", values.everything),
        ("oids", "oidvector", lambda: "'1 2 4294967295'::oidvector"),
    ]


@pytest.mark.parametrize("way", ["binary", "text"])
def test_kept_text_is_the_source_s_own(instance, database, way):
    database.run(TYPES)
    if way == "text":
        database.run("CREATE TABLE forces_text (id int PRIMARY KEY, c regclass)")
    values = Values(20261123)
    tables = kinds(values)

    def fill(first):
        for name, kind, make in tables:
            rows = ", ".join(f"({first + i}, {values.maybe(make(), kind)})" for i in range(150))
            # A cast to text may have a function of its own; concat takes the type's output.
            database.run(f"{SETTINGS} INSERT INTO t_{name} (id, v) VALUES {rows};"
                         f"UPDATE t_{name} SET s = concat(v) WHERE id >= {first} AND v IS DISTINCT FROM NULL")

    for name, kind, _ in tables:
        database.run(f"CREATE TABLE t_{name} (id int PRIMARY KEY, v {kind}, s text)")
    fill(0)
    instance.start()
    instance.sync()
    fill(1000)
    instance.sync()
    wrong = {}
    for name, _, _ in tables:
        assert instance.value(f"SELECT count(*) FROM app.t_{name}") == 300, name
        different = instance.query(f"SELECT id, v, s FROM app.t_{name} WHERE v IS DISTINCT FROM s LIMIT 3")
        if different:
            wrong[name] = different
    assert not wrong, wrong
    following = database.value("SELECT query FROM pg_stat_activity WHERE backend_type = 'walsender' "
                               f"AND datname = '{database.name}'")
    assert ("binary 'true'" in following) == (way == "binary"), following


def test_fractions_are_written_as_the_source_writes_them(instance, database):
    """Each power of ten, of two and many between, as composites: their text is made here."""
    database.run("CREATE TYPE numbers AS (d float8, f real);"
                 "CREATE TABLE t (id int PRIMARY KEY, v numbers, s text);"
                 "SELECT setseed(0.26); SET extra_float_digits = 3;"
                 "INSERT INTO t SELECT i, ROW(d, f)::numbers FROM (SELECT i, CASE i % 4 "
                 "WHEN 0 THEN (1 + i / 4 % 9) * power(10::float8, i / 40 % 600 - 300) "
                 "WHEN 1 THEN power(2::float8, i / 4 % 2000 - 1000) "
                 "WHEN 2 THEN round((random() * 1e9)::numeric, i / 4 % 9)::float8 "
                 "ELSE random() * power(10::float8, i / 4 % 600 - 300) END AS d, CASE i % 3 "
                 "WHEN 0 THEN power(2::float8, i / 3 % 250 - 125)::real "
                 "WHEN 1 THEN ((1 + i / 3 % 9) * power(10::float8, i / 27 % 70 - 35))::real "
                 "ELSE (random() * power(10::float8, i / 3 % 70 - 35))::real END AS f "
                 "FROM generate_series(1, 60000) i) AS made; UPDATE t SET s = v::text")
    instance.start()
    instance.sync()
    assert instance.value("SELECT count(*) FROM app.t") == 60000
    assert instance.query("SELECT v, s FROM app.t WHERE v <> s LIMIT 5") == []
