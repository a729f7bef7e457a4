"""Whole tables of the source against those of the warehouse, row by row."""
import csv
import io
import itertools
import os
import threading


def columns_of(database, table):
    """Name and type of a table's columns, and the names of its primary key's."""
    columns = database.run(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attnum > 0 "
        f"AND NOT attisdropped AND attrelid = '{table}'::regclass ORDER BY attnum")
    key = database.run(
        "SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) "
        f"JOIN pg_attribute a ON a.attrelid = '{table}'::regclass AND a.attnum = k.attnum "
        f"WHERE i.indrelid = '{table}'::regclass AND i.indisprimary ORDER BY k.place")
    return columns, [name for name, in key]


def _text_of(name, kind, engine):
    """An expression whose text is the same in both engines where the value is."""
    quoted = f'"{name}"'
    if kind in ("timestamp with time zone", "timestamp without time zone"):
        quoted = (f"CAST(extract(epoch FROM {quoted}) * 1000000 AS bigint)" if engine == "postgres"
                  else f"epoch_us({quoted})")
    elif kind.endswith("[]"):
        quoted = f"array_to_string({quoted}, '|')"
    return f"coalesce(CAST({quoted} AS text), '(null)')"


def rows_of_source(database, sql):
    """The result row by row, by COPY through a pipe: it may be larger than memory."""
    reading, writing = os.pipe()
    failure = []

    def copy():
        with os.fdopen(writing, "wb") as pipe, database.server.connect(database.name) as connection:
            try:
                with connection.cursor() as cursor:
                    cursor.copy_expert(f"COPY ({sql}) TO STDOUT (FORMAT csv)", pipe)
            except Exception as error:  # handed to the reader below
                failure.append(error)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    with io.open(reading, encoding="utf-8", newline="") as pipe:
        yield from csv.reader(pipe)
    thread.join()
    if failure:
        raise failure[0]


def assert_same_rows(database, source_sql, instance, warehouse_sql, what):
    """Both must bring the same rows in the same order; returns how many."""
    count = 0
    with instance.csv_rows(warehouse_sql) as there:
        for ours, theirs in itertools.zip_longest(there, rows_of_source(database, source_sql)):
            assert ours == theirs, f"{what}, row {count}: {ours} here, {theirs} at the source"
            count += 1
    return count


def assert_same_table(database, instance, table, dataset="app"):
    """Every value of every row, in the order of the key; returns how many rows there are."""
    columns, key = columns_of(database, f'public."{table}"')
    order = ", ".join(f'"{name}"' for name in key)

    def sql(engine, schema):
        values = ", ".join(f'{_text_of(name, kind, engine)} AS "{name} as text"'
                           for name, kind in columns)
        return f'SELECT {values} FROM {schema}."{table}" ORDER BY {order}'

    return assert_same_rows(database, sql("postgres", "public"), instance, sql("duckdb", dataset),
                            table)


def tables_of(database):
    return [name for name, in database.run(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
        "ORDER BY relname")]
