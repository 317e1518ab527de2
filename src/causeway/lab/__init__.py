"""A real OpenStack on one machine, to try and to test on. The product never imports it."""
