"""Contract tests run against the same lab as integration tests do."""

from tests.integration.conftest import kube_api, kubernetes_binaries, lab
from tests.integration.services.conftest import project

__all__ = ["kube_api", "kubernetes_binaries", "lab", "project"]
