"""SHIPPED: configurations like those that come with the Go registry, in our words."""

from __future__ import annotations

from typing import Final

_HEALTH = """health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
"""

_EXAMPLE = """version: 0.1
log: {fields: {service: registry}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: /var/lib/registry}
http:
  addr: :5000
  headers: {X-Content-Type-Options: [nosniff]}
auth:
  htpasswd: {realm: basic-realm, path: /etc/registry}
"""

_DEBIAN = """version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/docker-registry
  delete:
    enabled: true
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
auth:
  htpasswd:
    realm: basic-realm
    path: /etc/docker/registry
"""

_DEVELOPMENT = """version: 0.1
log:
  level: debug
  fields: {service: registry, environment: development}
  hooks:
    - type: mail
      disabled: true
      levels: [panic]
      options:
        smtp: {addr: mail.example.com:25, username: u, password: p, insecure: true}
        from: sender@example.com
        to: [errors@example.com]
storage:
  delete: {enabled: true}
  cache: {blobdescriptor: redis}
  filesystem: {rootdirectory: /var/lib/registry}
  maintenance: {uploadpurging: {enabled: false}}
http:
  addr: :5000
  debug: {addr: ":5001", prometheus: {enabled: true, path: /metrics}}
  headers: {X-Content-Type-Options: [nosniff]}
notifications:
  events: {includereferences: true}
  endpoints:
    - name: local-5003
      url: http://localhost:5003/callback
      headers: {Authorization: [Bearer <a token>]}
      timeout: 1s
      threshold: 10
      backoff: 1s
      disabled: true
"""

_REDIS_2 = """redis:
  addr: localhost:6379
  pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}
  dialtimeout: 10ms
  readtimeout: 10ms
  writetimeout: 10ms
"""

_REDIS_3 = """redis:
  addrs: [localhost:6379]
  maxidleconns: 16
  poolsize: 64
  connmaxidletime: 300s
  dialtimeout: 10ms
  readtimeout: 10ms
  writetimeout: 10ms
"""

_PROXY = """proxy:
  remoteurl: https://upstream.example
  username: username
  password: password
"""

_CLOUD = """version: 0.1
http: {addr: ":5000", draintimeout: 5s, secret: hmacsecret}
log:
  accesslog: {disabled: false}
  formatter: text
  level: debug
storage:
  redirect: {disable: true}
  cache: {blobdescriptor: redis}
  maintenance: {uploadpurging: {enabled: false}}
  tag: {concurrencylimit: 8}
  s3:
    region: us-east-1
    accesskey: distribution
    secretkey: password
    bucket: images-local
    rootdirectory: /registry-v2
    regionendpoint: http://minio:9000
    forcepathstyle: true
    encrypt: false
    secure: true
    chunksize: 33554432
    v4auth: true
"""

_CONTAINER = """version: 0.1
log: {fields: {service: registry}}
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000"}
"""

SHIPPED: Final = {
    "Debian 2.8.2": (_DEBIAN + _HEALTH, None),
    "example": (_EXAMPLE + _HEALTH, None),
    "development, v2": (_DEVELOPMENT + _REDIS_2 + _HEALTH, None),
    "development, v3": (_DEVELOPMENT + _HEALTH, None),
    "cache, v2": (_DEVELOPMENT + _REDIS_2 + _PROXY + _HEALTH, "proxy.remoteurl"),
    "cache, v3": (_DEVELOPMENT + _REDIS_3 + _PROXY + _HEALTH, "proxy.remoteurl"),
    "cloud, v3": (_CLOUD + _REDIS_3, None),
    "container": (_CONTAINER, None),
}
"""By what they are for: the text, and the key because of which it is refused."""
