"""The Kubernetes door: client, slim objects, reflector, store, work queue, lease and events."""
