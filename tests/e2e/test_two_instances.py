"""Two instances of one stream: a copy of the folder that somebody starts elsewhere."""
import shutil

from harness.instance import Instance


def test_the_second_says_that_there_is_a_first_and_stops(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    copy = instance.folder.parent / "copy"
    shutil.copytree(instance.folder, copy)
    instance.start()
    instance.sync()
    with Instance(copy) as other:
        other.start()
        stream = other.wait_state("failed", 60)
        assert "replication slot biwa_app is read by another program" in stream["error"]["message"]
        assert "Is another Biwa running for this stream?" in stream["error"]["hint"]
        assert other.stop() == 0
    # The first one has not noticed.
    database.run("INSERT INTO t VALUES (2)")
    instance.sync()
    assert instance.value("SELECT count(*) FROM app.t") == 2
    assert not any(instance.stream()["errors_total"].values())
