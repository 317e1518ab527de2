"""The image the lab's platform nodes boot from, made on this machine from packages and sources.

It promises: binaries of one Kubernetes release (``kubernetes``), container images (``containers``)
written by a small OCI writer (``oci``), the node's root file system with those images inside (``node``),
and its registration in the image service (``glance``). Whatever has not changed is taken from the cache.
"""
