"""The volume driver: Cinder's volumes by the Container Storage Interface."""
