"""The one shape of every integration: keys, reconcile, result, retry."""
