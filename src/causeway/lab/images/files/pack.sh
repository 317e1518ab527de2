#!/bin/sh
# Lay container images over the finished stage $1 and pack the whole as $3; $2 is a scratch directory, the other
# arguments are OCI archives. Runs in namespaces of its own, like import.sh beside it.
set -eu
stage=$1 scratch=$2 packed=$3
shift 3
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
# containerd unpacks layers by overlays of its own, which do not work on an overlay: its data is a real directory.
# Unpacked files are never written again and can be shared with the stage; its databases are written in place.
cp --archive --link "$stage/var/lib/containerd" "$scratch/containerd"
find "$scratch/containerd" -name '*.db' | while read -r database; do
    cp --archive "$database" "$database.copy"
    mv "$database.copy" "$database"
done
mount -t overlay overlay -o "lowerdir=$stage,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
mount --bind "$scratch/containerd" "$scratch/root/var/lib/containerd"
sh "$(dirname "$0")/import.sh" "$scratch/root" "$@"
# Fast before small: it is unpacked again on this very machine.
tar --create --directory "$scratch/root" --numeric-owner --sort=name --xattrs --xattrs-include='*' . |
    zstd -q -1 -T0 -o "$packed"
