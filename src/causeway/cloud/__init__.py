"""The OpenStack door: session, typed errors, one file per service."""
