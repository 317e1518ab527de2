"""The driver of shares: Manila's shares by the Container Storage Interface."""
