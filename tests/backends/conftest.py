"""What the tests of backends share."""

import pytest


@pytest.fixture(scope="session")
def tf():
    """TensorFlow, which takes seconds to import. Environments of other frameworks lack it."""
    return pytest.importorskip("tensorflow", reason="tensorflow-cpu is not installed")
