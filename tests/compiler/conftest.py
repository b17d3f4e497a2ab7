"""Programs of the tests are cached in a folder of the run's own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    patch = pytest.MonkeyPatch()
    patch.setenv("SCHUSS_CACHE", str(tmp_path_factory.mktemp("programs")))
    patch.setenv("SCHUSS_DEBUG", "verify")
    yield
    patch.undo()
