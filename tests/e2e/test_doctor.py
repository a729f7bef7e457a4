"""What the doctor says of a PostgreSQL and of the streams that follow it."""
import json


def doctor(instance):
    """Its findings of the streams: by what was found, the others of each (level, why, mend)."""
    done = instance.command("doctor", "--json")
    found = {}
    for line in map(json.loads, done.stdout.splitlines()):
        if line["of"] != "this machine":
            found[line["what"]] = line
    problems = [line for line in found.values() if line["level"] == "problem"]
    assert done.returncode == (1 if problems else 0), (done.stdout, done.stderr)
    return found


def test_excluded_tables_are_not_looked_at(database, instance):
    database.run("CREATE TABLE good (id int PRIMARY KEY); CREATE UNLOGGED TABLE tmp_a (id int PRIMARY KEY);"
                 "CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY)")
    assert "is unlogged" in str(doctor(instance))
    instance.write_stream(exclude=("public.tmp_*", "public.scratch"))
    said = str(doctor(instance))
    assert "public.good" in said and "tmp_a" not in said and "scratch" not in said, said
