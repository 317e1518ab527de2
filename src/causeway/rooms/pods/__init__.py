"""Pods on the cloud's network: every pod has a Neutron port of its own, a subport of its node's trunk.

This room promises: a pod bound to a node gets exactly one port, tagged as ours, attached to the trunk of
that node on a VLAN nobody else uses, and a PodPort that tells the node about it; when the pod ends, all of it
goes.
"""
