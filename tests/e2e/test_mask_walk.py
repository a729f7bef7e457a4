"""PostgreSQL: random walks over a table with masks (harness/mask_walk.py)."""
import pytest

from harness.instance import Instance, make_marker
from harness.mask_walk import SEED, WALKS, MaskWalk


@pytest.mark.parametrize("by_default", [True, False], ids=["by_default", "listed"])
def test_nothing_is_clear_whatever_becomes_of_columns(server, tmp_path, by_default):
    for seed in range(SEED, SEED + WALKS):
        print(f"BIWA_SEED={seed}")
        with server.database() as database:
            make_marker(database)
            with Instance(tmp_path / f"project{seed}", database) as instance:
                walk = MaskWalk(database, instance, seed, by_default)
                try:
                    walk.run()
                except Exception:
                    print("\n".join(walk.steps))
                    raise
