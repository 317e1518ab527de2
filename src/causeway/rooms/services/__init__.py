"""Services on the cloud's network: a Service with a ClusterIP is an Octavia load balancer at that address.

Promises: one call creates it with everything in it; members follow the EndpointSlices; a Service of type
LoadBalancer also gets a floating IP, written to its status; whatever is interrupted is adopted by its tags
and finished; nothing is left when the Service is gone. Headless and ExternalName services have no load
balancer, and ``default/kubernetes`` is the platform's own.
"""
