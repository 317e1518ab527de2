"""The Kubernetes door: client, watches, store, queue, lease, events."""
