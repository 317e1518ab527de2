"""Nodes know what the cloud knows of them: identity, addresses, zone, and whether their server still exists.

This is the work of a Kubernetes cloud controller for nodes. A kubelet started for an external cloud provider
taints its node until this room has filled it in. Everything comes from one listing of the project's servers.
"""
