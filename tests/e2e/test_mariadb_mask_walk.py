"""MariaDB and MySQL: random walks over a table with masks (harness/mask_walk.py)."""
import pytest

from harness.either import maria  # noqa: F401
from harness.mariadb import MariaDbInstance
from harness.mask_walk import SEED, WALKS, MariaDbMaskWalk


@pytest.mark.parametrize("by_default", [True, False], ids=["by_default", "listed"])
def test_nothing_is_clear_whatever_becomes_of_columns(maria, tmp_path, by_default):  # noqa: F811
    for seed in range(SEED, SEED + WALKS):
        print(f"BIWA_SEED={seed}")
        with maria.database() as database, MariaDbInstance(tmp_path / f"project{seed}", database) as instance:
            walk = MariaDbMaskWalk(database, instance, seed, by_default)
            try:
                walk.run()
            except Exception:
                print("\n".join(walk.steps))
                raise
