"""Contract tests run against the same lab as integration tests do."""

from tests.integration.conftest import lab
from tests.integration.services.conftest import project

__all__ = ["lab", "project"]
