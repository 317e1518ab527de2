"""Servers that really boot: system containers behind Nova's virt driver.

The agent (``python -m causeway.lab.servers.agent LAB_DIR``) is the lab's hypervisor: a root process in the
lab's namespaces that the driver in nova-compute asks over a unix socket, because nova-compute itself lives in
the lab's root file system and has no way to the machine. Every server is one process tree under its own
*monitor*, in a session of its own: it outlives the agent and nova-compute, and ends with the lab.

This is a place to try things, not a security boundary: root inside a server is root on the machine.
"""
