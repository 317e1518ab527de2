#!/bin/bash
# Puts container storage on the node's volume: at first boot, and at every later one before containers start.
#
# The image's preloaded layers stay where they are: the volume gets links to them, so nothing large is copied,
# and what is pulled or written later lies on the volume.
set -Eeuo pipefail
. /etc/causeway/node.env
ROOT=/var/lib/containerd
IMAGE=/var/lib/containerd.image
LAYERS=io.containerd.snapshotter.v1.overlayfs/snapshots
[ -n "$VOLUME" ] || exit 0
[ ! -e "$ROOT/.causeway-volume" ] || exit 0

# Hypervisors show the first 20 characters of a volume's ID as the serial number of the disk.
for _ in $(seq 240); do
  DEVICE=$(find /dev/disk/by-id -name "*${VOLUME:0:20}*" 2>/dev/null | head -n 1) || true
  [ -z "$DEVICE" ] || break
  sleep 0.5
done
[ -n "$DEVICE" ] || { echo "volume $VOLUME was not attached within 2 minutes"; exit 1; }
[ -n "$(blkid -p -o value -s TYPE "$DEVICE" || true)" ] || mkfs.ext4 -q -L containers "$DEVICE"

systemctl stop containerd.service || true
mkdir -p "$IMAGE"
if ! mountpoint -q "$IMAGE"; then
  mount --bind "$ROOT" "$IMAGE"
  mount --make-private "$IMAGE" # else the volume would appear here as well
fi
mount "$DEVICE" "$ROOT"
if [ ! -e "$ROOT/.causeway-volume" ]; then
  # Interrupted or new: begin again. The mark is set when everything is there.
  find "$ROOT" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
  tar -C "$IMAGE" --exclude="./$LAYERS/*" -cf - . | tar -C "$ROOT" -xpf -
  if [ -d "$IMAGE/$LAYERS" ]; then
    mkdir -p "$ROOT/$LAYERS"
    for layer in "$IMAGE/$LAYERS"/*; do
      [ ! -e "$layer" ] || ln -s "$layer" "$ROOT/$LAYERS/"
    done
  fi
  touch "$ROOT/.causeway-volume"
fi
systemctl --no-block start containerd.service
