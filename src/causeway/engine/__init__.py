"""What turns changes into work: reconcilers, the controllers that run them, and batching of small calls."""
