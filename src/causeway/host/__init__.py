"""The machine door: commands, netlink, namespaces, mounts. The only place that runs a command."""
