"""Programs of the tests are cached in a folder of the run's own."""

from __future__ import annotations

import pytest

from schuss.native import cpython


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    patch = pytest.MonkeyPatch()
    patch.setenv("SCHUSS_CACHE", str(tmp_path_factory.mktemp("programs")))
    patch.setenv("SCHUSS_DEBUG", "verify")
    yield
    patch.undo()


@pytest.fixture(params=["natively", "in plain Python"])
def natively_and_in_plain_python(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run a test with calls checked natively, and again as where no object's layout is known."""
    if request.param == "in plain Python":
        monkeypatch.setattr(cpython, "unknown_layout", lambda: "it is switched off")
    elif not cpython.layout_is_known():
        pytest.skip(cpython.unknown_layout())
