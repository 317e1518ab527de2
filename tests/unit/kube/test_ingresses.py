import msgspec

from causeway.kube.ingresses import Ingress, IngressPort, Secret
from causeway.kube.resource import INGRESS_CLASSES, resource_of

BODY = b"""{
  "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
  "metadata": {"name": "shop", "namespace": "one", "managedFields": [{"manager": "kubectl"}]},
  "spec": {
    "ingressClassName": "causeway",
    "defaultBackend": {"service": {"name": "rest", "port": {"name": "web"}}},
    "rules": [
      {"host": "a.example", "http": {"paths": [
        {"path": "/x", "pathType": "Exact", "backend": {"service": {"name": "x", "port": {"number": 80}}}},
        {"pathType": "ImplementationSpecific",
         "backend": {"resource": {"apiGroup": "k8s.example", "kind": "Bucket", "name": "b"}}}
      ]}},
      {"host": "b.example"}
    ],
    "tls": [{"hosts": ["a.example"], "secretName": "cert"}, {}]
  },
  "status": {"loadBalancer": {"ingress": [{"hostname": "h", "ports": [{"port": 80, "protocol": "TCP"}]}]}}
}"""


def test_an_ingress_is_read_as_the_api_writes_it() -> None:
    found = msgspec.json.decode(BODY, type=Ingress)
    assert found.spec.services() == {"rest", "x"}
    rule, empty = found.spec.rules
    assert empty.http is None
    assert rule.http is not None
    exact, other = rule.http.paths
    assert exact.backend.service is not None
    assert exact.backend.service.port == IngressPort(number=80)
    assert (other.path, other.backend.service) == ("", None)
    assert [each.secret_name for each in found.spec.tls] == ["cert", ""]
    assert found.status.load_balancer.ingress[0].hostname == "h"
    bare = b'{"metadata": {"name": "n"}, "spec": {}, "status": {"loadBalancer": {}}}'
    assert msgspec.json.decode(bare, type=Ingress).spec.rules == ()


def test_a_secret_is_decoded_and_never_shown() -> None:
    body = b'{"metadata": {"name": "n"}, "type": "kubernetes.io/tls", "data": {"tls.key": "aGlkZGVu"}}'
    found = msgspec.json.decode(body, type=Secret)
    assert found.data == {"tls.key": b"hidden"}
    assert "hidden" not in repr(found)


def test_a_class_can_be_applied() -> None:
    manifest = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass"}
    assert resource_of(manifest) is INGRESS_CLASSES
    assert INGRESS_CLASSES.path("any", "causeway") == "/apis/networking.k8s.io/v1/ingressclasses/causeway"
