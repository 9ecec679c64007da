"""What integration tests share."""

from collections.abc import Iterator

import pytest

from tests.integration.whole_stack import Stack, running


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack, for tests that leave it as it is: it takes a quarter of a minute to start."""
    with running() as made:
        yield made
