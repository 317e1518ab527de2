"""A claim for many: pods on two nodes write one share of CephFS, whatever becomes of the driver's pods."""

from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from causeway.kit.progress import Progress
from demo.commands import Kubectl
from demo.waiting import until

NAMESPACE = "shares"
INSIDE = ("-n", NAMESPACE)
DRIVER = ("-n", "kube-system", "-l", "app.kubernetes.io/name=causeway-shares-node")
IMAGE = "localhost/guestbook-frontend:0.1.0"
CLAIM = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: files, namespace: {NAMESPACE}}}
spec:
  storageClassName: cephfs
  accessModes: [ReadWriteMany]
  resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: writer, namespace: {NAMESPACE}}}
spec:
  selector: {{matchLabels: {{app: writer}}}}
  template:
    metadata: {{labels: {{app: writer}}}}
    spec:
      terminationGracePeriodSeconds: 1
      nodeSelector: {{causeway.dev/role: compute}}
      securityContext: {{runAsUser: 999}}
      containers:
        - name: main
          image: {IMAGE}
          command: [python3, -c, "import time; time.sleep(9999)"]
          volumeMounts: [{{name: files, mountPath: /files}}]
      volumes:
        - name: files
          persistentVolumeClaim: {{claimName: files}}
"""
READ = "print(open('/files/text').read())"
SECONDS = 300.0


@pytest.fixture
def claim(kubectl: Kubectl) -> Iterator[str]:
    kubectl("apply", "-f", "-", stdin=CLAIM)
    yield "files"
    kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def test_pods_on_two_nodes_write_one_share_also_when_the_driver_is_started_anew(
    kubectl: Kubectl, cloud: Connection, claim: str
) -> None:
    manila = cloud.shared_file_system

    def run(pod: str, program: str) -> str:
        return kubectl("exec", *INSIDE, pod, "--", "python3", "-c", program).strip()

    def add(pod: str, text: str) -> None:
        run(pod, f"open('/files/text', 'a').write('{text} ')")

    def pods(*words: str) -> dict[str, str]:
        """Return those that are ready, by name, with their nodes."""
        return {
            each["metadata"]["name"]: each["spec"]["nodeName"]
            for each in kubectl.json("get", "pods", *words)["items"]
            if "deletionTimestamp" not in each["metadata"]
            and any(it["ready"] for it in each["status"].get("containerStatuses", []))
        }

    with Progress().phase("a share") as phase:
        writers = until(
            phase,
            "a pod on each node with the share",
            lambda: found if len(found := pods(*INSIDE, "-l", "app=writer")) == 2 else None,
            seconds=SECONDS,
        )
        one, two = writers
        assert writers[one] != writers[two]
        add(one, "first")
        assert run(two, READ) == "first"
        volume = kubectl.json("get", "pvc", claim, *INSIDE)["spec"]["volumeName"]
        share = kubectl.json("get", "pv", volume)["spec"]["csi"]["volumeHandle"]
        rules = manila.get("/share-access-rules", params={"share_id": share}, microversion="2.55").json()
        assert {each["access_type"] for each in rules["access_list"]} == {"cephx"}
        assert len(rules["access_list"]) == 2

        drivers = pods(*DRIVER)
        kubectl("delete", "pod", *(name for name in drivers), "-n", "kube-system")
        until(
            phase,
            "other pods of the driver",
            lambda: len(pods(*DRIVER).keys() - drivers.keys()) == len(drivers),
            seconds=SECONDS,
        )
        add(two, "second")
        assert run(one, READ) == "first second"

        kubectl("delete", "daemonset", "writer", *INSIDE)
        kubectl("delete", "pvc", claim, *INSIDE)

        def gone() -> bool:
            found = manila.get("/shares", microversion="2.55").json()["shares"]
            return share not in {each["id"] for each in found}

        until(phase, "the share gone", gone, seconds=SECONDS)
