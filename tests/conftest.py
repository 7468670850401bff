"""Shared set-up of the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from vedit.media.reading import admitted

MEET = admitted._meet  # pyright: ignore[reportPrivateUsage]
"""How files of unknown origin are met."""

# OpenMP threads that spin while they wait make small networks many times slower on a busy machine. The library reads
# this when it is loaded, so it is set before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if find_spec("hypothesis"):  # the tests of a GPU do without
    from hypothesis import HealthCheck, settings

    # A run tries the examples that the one before it tried: what fails is due to the change. Nothing is timed, since a
    # busy machine is no fault.
    settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What renders keep for later ones goes to a folder of this run: nothing of an earlier one is found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VEDIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_settings() -> Iterator[None]:
    """Options that whoever runs the tests has said once for all, in a file or in the environment, decide nothing."""
    from vedit.cli.settings import OWN_VARIABLES, PREFIX

    own = {f"{PREFIX}{name}" for name in OWN_VARIABLES}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIX) and name not in own]:
            patch.delenv(name)
        patch.setenv("VEDIT_CONFIG", os.devnull)
        yield


@pytest.fixture(scope="session", autouse=True)
def files_of_our_own() -> Iterator[None]:
    """The tests' own files are opened without the process of their own that others meet first: it takes half a second.

    A test of what users have asks for `isolated`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admitted, "_meet", lambda path, **_: None)  # pyright: ignore[reportUnknownLambdaType]
        yield


@pytest.fixture
def isolated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every file is met in a process of its own first, as users have it, and none is known from before."""
    monkeypatch.setattr(admitted, "_meet", MEET)
    admitted.forget()
    yield
    admitted.forget()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of test data (`VEDIT_TEST_DATA`, else ../shared beside the repository); skips where it is absent."""
    folder = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set VEDIT_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def clips_dir(test_data: Path) -> Path:
    """The clips in the test data."""
    return test_data / "clips"


@pytest.fixture(scope="session")
def cases(test_data: Path) -> Path:
    """Small inputs that once went wrong, in the test data; skips where it has none."""
    if not (test_data / "cases").is_dir():
        pytest.skip(f"no cases in {test_data}")
    return test_data / "cases"


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `VEDIT_MODEL_DIR`: every model of the catalogue with random weights, in its class and layout."""
    folder = tmp_path_factory.mktemp("models")
    for module in sorted((Path(__file__).parent / "support" / "tiny").glob("[a-z]*.py")):
        area = import_module(f"tests.support.tiny.{module.stem}")
        for name in dir(area):
            save = getattr(area, name)
            if name.startswith("save_") and save.__module__ == area.__name__:  # not what it imports
                save(folder)
    return folder


@pytest.fixture
def small() -> Iterator[None]:
    """Renders in which no look matters: small, by a model of random weights that is loaded once."""
    from tests.support.loaded import small_renders

    with small_renders():
        yield


@pytest.fixture
def unsteadied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders whose frames stay as they were sampled, as those of stills do: a still has none around it."""
    monkeypatch.setattr("vedit.render.finish_shot.steadied", iter)


@pytest.fixture
def small_embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small renders by the embedded model, loaded once: for what is true of its words and its arithmetic."""
    from tests.support.loaded import load_once, small_frames

    monkeypatch.setattr("vedit.render.prepare.load", load_once)
    with small_frames():
        yield
