"""Platforms: from a platform file to a Heat stack whose nodes form a Kubernetes cluster.

Promises: everything wrong in the file or in the cloud is said before anything is created, all at once, with
place, cause and remedy; a plan names every resource that is created, changed, replaced or deleted; apply can
be run again after any interruption; destroy leaves nothing.
"""
