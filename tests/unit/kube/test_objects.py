"""Names whose capitals follow no rule must still be read."""

import msgspec

from causeway.kube.objects import Pod, PortPool, Service, key_of, split_key


def test_special_names_of_pods_and_services_are_read() -> None:
    pod = msgspec.json.decode(
        b'{"metadata":{"name":"a","namespace":"n"},"spec":{"hostNetwork":true,"nodeName":"w1"},'
        b'"status":{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}]}}',
        type=Pod,
    )
    assert (pod.status.pod_ip, pod.status.pod_ips[0].ip) == ("10.0.0.1", "10.0.0.1")
    assert pod.spec.host_network
    assert key_of(pod) == "n/a"

    service = msgspec.json.decode(
        b'{"metadata":{"name":"s"},"spec":{"clusterIP":"172.30.0.9","externalIPs":["1.2.3.4"],'
        b'"sessionAffinityConfig":{"clientIP":{"timeoutSeconds":60}},'
        b'"ports":[{"port":80,"targetPort":"http"}]}}',
        type=Service,
    )
    assert service.spec.cluster_ip == "172.30.0.9"
    assert service.spec.external_ips == ("1.2.3.4",)
    assert service.spec.session_affinity_config
    assert service.spec.session_affinity_config.client_ip
    assert service.spec.session_affinity_config.client_ip.timeout_seconds == 60


def test_a_pool_port_is_as_short_as_it_can_be() -> None:
    raw = (
        b'{"portID":"p","macAddress":"fa:16:3e:00:00:01",'
        b'"fixedIPs":[{"ipAddress":"10.0.0.1","prefixLength":16,"gateway":""}],"mtu":1442,"segmentationID":7}'
    )
    document = b'{"metadata":{"name":"w1"},"spec":{"ports":[' + raw + b"]}}"
    pool = msgspec.json.decode(document, type=PortPool)
    (port,) = pool.spec.ports
    assert (port.segmentation_id, port.namespace, port.pod_uid, port.retiring) == (7, "", "", False)
    assert msgspec.json.encode(port) == raw
    assert pool.status.observed_generation == 0


def test_keys_split_into_namespace_and_name() -> None:
    assert split_key("n/a") == ("n", "a")
    assert split_key("w1") == (None, "w1")
