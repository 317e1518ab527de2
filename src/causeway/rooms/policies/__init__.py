"""NetworkPolicies: what pods may talk to whom, as security groups of the cloud.

This room promises: the ports of a pod that policies select are in exactly the security groups that allow what
the policies allow; no pod is put in a group before the group is complete; what nobody needs any more goes.
"""
