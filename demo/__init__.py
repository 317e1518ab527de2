"""The demo: from an empty machine to an application that answers, by the commands a user would type."""
