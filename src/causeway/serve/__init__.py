"""Long-running fronts: the platform's controller and the node daemon."""
