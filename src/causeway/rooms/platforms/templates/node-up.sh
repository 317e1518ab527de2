#!/bin/bash
# Makes this server a node of its platform. Can be run again. What it does is told on the console, where
# `causeway` reads it when the node does not appear; the details are in the log.
set -Eeuo pipefail
LOG=/var/log/causeway-node.log
exec >>"$LOG" 2>&1
. /etc/causeway/node.env
STEP=start

say() {
  echo "causeway: $(date -u +%H:%M:%S) $*"
  echo "causeway: $(date -u +%H:%M:%S) $*" >/dev/console || true
}

failed() {
  trap - ERR
  tail -n 8 "$LOG" >/run/causeway-node.tail
  say "FAILED in step $STEP; the last lines of $LOG:"
  tr -cd '\12\40-\176' </run/causeway-node.tail | sed 's/\[[0-9;]*m//g; s/^/causeway| /; s/^\(.\{300\}\).*/\1/' >/dev/console || true
  exit 1
}
trap failed ERR

# until_true SECONDS WHAT COMMAND...: a deadline for everything that is waited for
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "waited in vain for $what"
      return 1
    fi
    sleep 0.5
  done
}

metadata_route() {
  STEP=metadata
  # With a config drive nobody needs a metadata service, and asking where there is none takes many seconds.
  if grep -qs ConfigDrive /var/lib/cloud/instance/datasource; then
    ip route replace unreachable 169.254.169.254/32
  fi
}

storage() {
  STEP=storage
  [ -z "$VOLUME" ] || /usr/local/sbin/causeway-storage
  STEP="container runtime"
  until_true 120 "the container runtime" ctr --connect-timeout 2s version
}

settings() {
  STEP=settings
  local instance driver resolv=/etc/resolv.conf
  instance=$(cat /var/lib/cloud/data/instance-id)
  # The kubelet must use the cgroup driver that the container runtime of this image uses.
  if grep -Eqs 'SystemdCgroup *= *true' /etc/containerd/config.toml; then driver=systemd; else driver=cgroupfs; fi
  # Pods cannot ask a resolver that listens on the node's loopback: they get the servers behind it.
  [ ! -s /run/systemd/resolve/resolv.conf ] || resolv=/run/systemd/resolve/resolv.conf
  mkdir -p /etc/kubernetes/patches
  cat >/etc/kubernetes/patches/kubeletconfiguration+merge.yaml <<PATCH
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: $driver
providerID: openstack:///$instance
resolvConf: $resolv
PATCH
  if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
    # kubeadm refuses the first version of control groups, with which the kubelet still works.
    sed -i 's/ignorePreflightErrors: \[/&SystemVerification, /' /etc/kubernetes/causeway-*.yaml
  fi
}

own_ipv6() {
  ADDRESS_V6=$(ip -6 -o address show scope global -tentative -deprecated | sed -n 's|.* inet6 \([^/]*\)/.*|\1|p' | head -n 1)
  [ -n "$ADDRESS_V6" ]
}

# The address the server made of what the router says: Kubernetes is told of it with the first one.
second_address() {
  STEP="IPv6 address"
  [ -n "$IPV6" ] || return 0
  until_true 60 "an IPv6 address from the router" own_ipv6
  sed -i "s/{name: node-ip, value: \"$ADDRESS\"}/{name: node-ip, value: \"$ADDRESS,$ADDRESS_V6\"}/" \
    /etc/kubernetes/causeway-*.yaml
}

api_knows_token() {
  curl -sf -m 5 --cacert /etc/causeway/pki/ca.crt \
    "https://$API:6443/api/v1/namespaces/kube-public/configmaps/cluster-info" | grep -q "jws-kubeconfig-$TOKEN_ID"
}

join() {
  STEP="wait for the API at $API"
  say "waiting for the API at $API"
  until_true 1200 "an API that knows the token" api_knows_token
  STEP=join
  say "joining"
  local try
  for try in 1 2 3; do
    if kubeadm join --config /etc/kubernetes/causeway-join.yaml; then return 0; fi
    say "join $try failed"
    kubeadm reset --force --cleanup-tmp-dir || true
    authorities # a reset took them away
  done
  false
}

# Masters get the authorities, kubeadm makes the rest. A worker's kubeadm insists on fetching the one it needs.
authorities() {
  STEP=authorities
  mkdir -p /etc/kubernetes/pki
  [ ! -e /etc/causeway/pki/ca.key ] || cp -a /etc/causeway/pki/. /etc/kubernetes/pki/
}

authorities
metadata_route
storage
settings
second_address
if [ -e /etc/kubernetes/kubelet.conf ]; then
  say "is a node already"
elif [ "$BOOTSTRAP_MASTER" = "$NODE" ]; then
  STEP=init
  say "starting the cluster"
  kubeadm init --config /etc/kubernetes/causeway-init.yaml
else
  join
fi
rm -f /etc/kubernetes/causeway-init.yaml /etc/kubernetes/causeway-join.yaml
say "done after $SECONDS s"
