"""A cloud that is only its doors: the HTTP APIs Causeway calls, as large as a measurement needs it.

It answers as the lab does (a contract test walks the same way through both) after the time the lab takes, but
makes nothing. No quotas, no policies, one project, one token.
"""
