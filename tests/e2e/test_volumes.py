"""A claim of the default class: its bytes follow the pod to another node, into a copy, and then go.

The copy's pod has an ephemeral volume as well, which goes with it.
"""

from collections.abc import Iterator

import pytest
from openstack.connection import Connection
from tests.e2e import namespaces

from causeway.kit.progress import Progress
from demo.commands import Kubectl
from demo.waiting import until

NAMESPACE = "volumes"
IMAGE = "localhost/guestbook-frontend:0.1.0"
CLAIM = f"""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data, namespace: {NAMESPACE}}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 1Gi}}}}
"""
COPY = f"""
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {{name: then, namespace: {NAMESPACE}}}
spec: {{source: {{persistentVolumeClaimName: data}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: restored, namespace: {NAMESPACE}}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 2Gi}}}}
  dataSource: {{apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: then}}
"""
WRITE = "import os; file = open('/data/text', 'w'); file.write('kept'); file.flush(); os.fsync(file.fileno())"
READ = "print(open('/data/text').read())"
SIZE = "import os; found = os.statvfs('/data'); print(found.f_blocks * found.f_frsize)"
SECONDS = 300.0


SCRATCH = """
    - name: scratch
      ephemeral:
        volumeClaimTemplate:
          spec:
            accessModes: [ReadWriteOnce]
            resources: {requests: {storage: 1Gi}}
"""
MOUNTED = "import os; print(os.path.ismount('/scratch'))"


def pod(name: str, node: str, claim: str = "data", *, scratch: bool = False) -> str:
    more = ", {name: scratch, mountPath: /scratch}" if scratch else ""
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {NAMESPACE}}}
spec:
  terminationGracePeriodSeconds: 1
  nodeSelector: {{kubernetes.io/hostname: {node}}}
  securityContext: {{runAsUser: 999, fsGroup: 999}}
  containers:
    - name: main
      image: {IMAGE}
      command: [python3, -c, "import time; time.sleep(9999)"]
      volumeMounts: [{{name: data, mountPath: /data}}{more}]
  volumes:
    - name: data
      persistentVolumeClaim: {{claimName: {claim}}}{SCRATCH if scratch else ""}
"""


@pytest.fixture
def claim(kubectl: Kubectl) -> Iterator[str]:
    with namespaces.namespace(kubectl, NAMESPACE):
        kubectl("apply", "-f", "-", stdin=CLAIM)
        yield "data"


def test_a_file_follows_its_pod_to_another_node_and_goes_with_its_claim(
    kubectl: Kubectl, cloud: Connection, claim: str
) -> None:
    first, second = (
        each["metadata"]["name"]
        for each in kubectl.json("get", "nodes", "-l", "causeway.dev/role=compute")["items"][:2]
    )
    inside = ("-n", NAMESPACE)

    def run(name: str, program: str) -> str:
        return kubectl("exec", *inside, name, "--", "python3", "-c", program).strip()

    def started(name: str) -> bool:
        found = kubectl.json("get", "pod", name, *inside)
        return any(each.get("ready") for each in found["status"].get("containerStatuses", []))

    def name_of(claim: str) -> str:
        return str(kubectl.json("get", "pvc", claim, *inside)["spec"]["volumeName"])

    def handle_of(claim: str) -> str:
        return str(kubectl.json("get", "pv", name_of(claim))["spec"]["csi"]["volumeHandle"])

    def enlarged() -> bool:
        return bool(kubectl.json("get", "pv", volume)["spec"]["capacity"]["storage"] == "2Gi")

    with Progress().phase("a volume") as phase:
        kubectl("apply", "-f", "-", stdin=pod("writer", first))
        until(phase, "the first pod with its disk", lambda: started("writer"), seconds=SECONDS)
        run("writer", WRITE)
        volume = name_of(claim)
        handle = handle_of(claim)
        server = cloud.compute.find_server(first, ignore_missing=False)
        (attachment,) = cloud.block_storage.get_volume(handle).attachments
        assert attachment["server_id"] == server.id

        # Enlarged while no pod has it: this machine's kernel may not let a mounted file system grow.
        kubectl("delete", "pod", "writer", *inside)
        larger = '{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}'
        kubectl("patch", "pvc", claim, *inside, "--patch", larger)
        until(phase, "a larger volume", enlarged, seconds=SECONDS)

        kubectl("apply", "-f", "-", stdin=pod("reader", second))
        until(phase, "the second pod with the disk", lambda: started("reader"), seconds=SECONDS)
        assert run("reader", READ) == "kept"
        assert int(run("reader", SIZE)) > 1.5 * 2**30

        # Taken while a pod has the disk; the copy's pod begins when there is the snapshot and a volume of it.
        kubectl("apply", "-f", "-", stdin=COPY)
        kubectl("apply", "-f", "-", stdin=pod("historian", second, "restored", scratch=True))
        until(phase, "the copy's pod with its disk", lambda: started("historian"), seconds=SECONDS)
        assert run("historian", READ) == "kept"
        assert run("historian", MOUNTED) == "True"
        ephemeral = handle_of("historian-scratch")
        copied = handle_of("restored")
        snapshot = cloud.block_storage.get_volume(copied).snapshot_id
        assert cloud.block_storage.get_snapshot(snapshot).volume_id == handle

        kubectl("delete", "pod", "reader", "historian", *inside)
        kubectl("delete", "pvc", "restored", *inside)
        kubectl("delete", "volumesnapshot", "then", *inside)
        kubectl("delete", "pvc", claim, *inside)

        def gone() -> bool:
            storage = cloud.block_storage
            left = {each.id for kind in (storage.volumes, storage.snapshots) for each in kind()}
            return not left & {handle, copied, ephemeral, snapshot}

        until(phase, "the volumes and the snapshot gone", gone, seconds=SECONDS)
