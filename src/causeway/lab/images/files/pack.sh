#!/bin/bash
# Pack a finished node: the packed stage $1/packed.tar.zst, followed by what the OCI archives after $3 change in it.
# $2 is a scratch directory, $3 the result. Runs in namespaces of its own, like import.sh beside it.
set -euo pipefail
stage=$1 scratch=$2 packed=$3
shift 3
data=var/lib/containerd
mkdir -p "$scratch/changed/var/lib"
# Unpacked layers are never written again and are shared with the stage; databases are written in place.
cp --archive --link "$stage/root/$data" "$scratch/changed/$data"
find "$scratch/changed/$data" -name '*.db' | while read -r database; do
    cp --archive "$database" "$database.copy"
    mv "$database.copy" "$database"
done
mount --rbind "$stage/root" "$stage/root"
mount --bind "$scratch/changed/$data" "$stage/root/$data"
bash "$(dirname "$0")/import.sh" "$stage/root" "$@"

# New is what is not shared with the stage. Archives that follow one another are one archive.
cp "$stage/packed.tar.zst" "$packed"
cd "$scratch/changed"
find . ! -type d -links 1 -o -type d |
    tar --create --no-recursion --files-from=- --numeric-owner --xattrs --xattrs-include='*' |
    zstd -q -1 -T0 >> "$packed"
