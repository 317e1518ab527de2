#!/usr/bin/python3
"""Tells a kubelet how to sign in to the platform's registry: as the service account of the pod.

A credential provider (credentialprovider.kubelet.k8s.io): the request comes on standard input, the answer
goes to standard output.
"""

import json
import sys

request = json.load(sys.stdin)
host = request["image"].partition("/")[0]
json.dump(
    {
        "apiVersion": request["apiVersion"],
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": "1m0s",
        "auth": {host: {"username": "serviceaccount", "password": request["serviceAccountToken"]}},
    },
    sys.stdout,
)
