#!/bin/bash
# Put container images into the root file system $1; the other arguments are OCI archives. Runs in mount, PID and
# network namespaces of its own: whatever is mounted or started here ends with it.
set -euo pipefail
root=$1
shift
for kind in proc:proc sysfs:sys tmpfs:run tmpfs:tmp tmpfs:dev; do
    mount -t "${kind%:*}" "${kind%:*}" "$root/${kind#*:}"
done
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/urandom" c 1 9

printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' > "$root/tmp/containerd.toml"
chroot "$root" containerd --config /tmp/containerd.toml --log-level warn &
server=$!
ctr() { chroot "$root" ctr --namespace k8s.io "$@"; }
attempts=200
until ctr version > /dev/null 2>&1; do
    attempts=$((attempts - 1))
    [ $attempts -gt 0 ] || { echo "containerd does not answer" >&2; exit 1; }
    kill -0 $server
    sleep 0.1
done

for archive; do
    ctr images import - < "$archive"
done
# The kubelet removes unused images when space runs out, and these could not be pulled again.
for image in $(ctr images list --quiet); do
    ctr images label "$image" io.cri-containerd.pinned=pinned
done
# An unpacked layer is not needed in its packed form any more: manifests name their layers in labels.
ctr content list > "$root/tmp/content"
grep -o 'gc.ref.content.l.[0-9]*=sha256:[0-9a-f]*' "$root/tmp/content" | cut -d = -f 2 | sort -u |
    while read -r layer; do
        if grep -q "^$layer" "$root/tmp/content"; then ctr content delete "$layer"; fi
    done
# What is deleted goes away with the next collection, which the synchronous end of a lease waits for.
lease=$(ctr leases create)
ctr leases delete --sync "$lease"

kill $server
wait $server || true
umount "$root/dev" "$root/tmp" "$root/run" "$root/sys" "$root/proc"
