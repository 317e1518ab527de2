#!/bin/bash
# Put the OCI archives after $1 into the root file system $1/root and pack it as $1/packed.tar.zst.
set -euo pipefail
stage=$1
shift
bash "$(dirname "$0")/import.sh" "$stage/root" "$@"
# Fast before small: it is unpacked again on this very machine. Another archive is to follow: the two empty blocks
# at the end, which alone are there with the smallest blocking factor, are cut off.
tar --create --blocking-factor=1 --directory "$stage/root" --numeric-owner --sort=name \
    --xattrs --xattrs-include='*' . | head -c -1024 | zstd -q -1 -T0 -o "$stage/packed.tar.zst"
