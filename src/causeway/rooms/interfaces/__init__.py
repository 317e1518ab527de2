"""Further interfaces of pods: networks of the cloud that a NetworkAttachmentDefinition names.

This room promises: whatever a pod asks for by ``k8s.v1.cni.cncf.io/networks`` is found in the cloud and told
to the pods' room, or its user is told by an Event why not.
"""
