"""Routes: measured beside a configuration in the style of OpenShift's router."""
