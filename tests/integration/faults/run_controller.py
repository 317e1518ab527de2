"""``causeway serve controller`` that looks at the cloud more often and waits shorter; nothing else differs.

Tests wait for two slow looks in a row wherever something is only found by looking.
"""

from causeway.main import main
from causeway.rooms.namespaces import controller as namespaces
from causeway.rooms.pods import controller as pods
from causeway.rooms.policies import controller as policies
from causeway.rooms.services import known as services
from causeway.rooms.services import remnants

namespaces.POLL = 4.0
pods.POLL = 4.0
policies.POLL = 4.0
services.SLOW = 4.0
remnants.GRACE = 20.0

if __name__ == "__main__":
    import sys

    sys.argv = ["causeway", "serve", "controller"]
    main()
