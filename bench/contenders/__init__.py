"""The contenders, each behind the same protocol."""
