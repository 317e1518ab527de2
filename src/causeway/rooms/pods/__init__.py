"""Pods on the cloud's network: every pod has a Neutron port of its own, a subport of its node's trunk.

This room promises: each node has ports ready for the pods that come, on VLANs nobody else uses, which its
daemon hands out without asking; a pod that needs a port of its own gets one made; no port serves two pods,
none is taken from a pod that has it, and none is left when it is of no use. What keeps a node from its ports
is told on its PortPool and on the pods that wait.
"""
