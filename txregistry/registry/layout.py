"""Layout: where everything lies in the store. Pure.

The tree is the Go registry's, so that either can take over from the other::

    /docker/registry/v2
        /blobs/<algorithm>/<first two of encoded>/<encoded>/data
        /repositories/<name>
            /_layers/<algorithm>/<encoded>/link
            /_manifests
                /revisions/<algorithm>/<encoded>/link
                /tags/<tag>/current/link
                /tags/<tag>/index/<algorithm>/<encoded>/link
            /_uploads/<session>
                /data
                /startedat
                /hashstates/<algorithm>/<offset>
            /_referrers/<subject algorithm>/<subject encoded>      (ours)
                /<algorithm>/<encoded>/descriptor
        /_txregistry                                               (ours)
            /secret
            /probe

A link's content is a digest's text. What is marked as ours the Go registry ignores.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from txregistry.oci.digest import Digest
from txregistry.oci.names import Name, Tag

ROOT: Final = "/docker/registry/v2"
REPOSITORIES: Final = f"{ROOT}/repositories"
SECRET: Final = f"{ROOT}/_txregistry/secret"
PROBE: Final = f"{ROOT}/_txregistry/probe"

LAYERS: Final = "_layers"
MANIFESTS: Final = "_manifests"

CURRENT: Final = "current/link"
"""Below a tag's folder, what says where the tag points now."""


def blob_data(digest: Digest) -> str:
    """Return where a content lies, whichever repositories link it."""
    shard = digest.encoded[:2]
    return f"{ROOT}/blobs/{digest.algorithm}/{shard}/{digest.encoded}/data"


def _link(base: str, digest: Digest) -> str:
    return f"{base}/{digest.algorithm}/{digest.encoded}/link"


@frozen
class RepositoryLayout:
    """The paths of one repository.

    Attributes:
        name: The repository's name.
    """

    name: Name

    @property
    def root(self) -> str:
        """The repository's own folder; other repositories may lie below it."""
        return f"{REPOSITORIES}/{self.name}"

    @property
    def manifests(self) -> str:
        """The folder that makes it a repository with manifests."""
        return f"{self.root}/{MANIFESTS}"

    @property
    def tags(self) -> str:
        """The folder with a folder for each tag."""
        return f"{self.manifests}/tags"

    def layer_link(self, digest: Digest) -> str:
        """Return the link that makes a blob part of the repository."""
        return _link(f"{self.root}/{LAYERS}", digest)

    def revision_link(self, digest: Digest) -> str:
        """Return the link that makes a manifest part of the repository."""
        return _link(f"{self.manifests}/revisions", digest)

    def tag(self, tag: Tag) -> str:
        """Return a tag's folder."""
        return f"{self.tags}/{tag}"

    def tag_link(self, tag: Tag) -> str:
        """Return the link that says where a tag points now."""
        return f"{self.tag(tag)}/{CURRENT}"

    def tag_index_link(self, tag: Tag, digest: Digest) -> str:
        """Return the link that says that a tag has pointed to a manifest."""
        return _link(f"{self.tag(tag)}/index", digest)

    def upload(self, session_id: str) -> str:
        """Return an upload session's folder."""
        return f"{self.root}/_uploads/{session_id}"

    def referrers(self, subject: Digest) -> str:
        """Return the folder of the manifests that point at a subject."""
        return f"{self.root}/_referrers/{subject.algorithm}/{subject.encoded}"

    def referrer(self, subject: Digest, digest: Digest) -> str:
        """Return where a referrer's descriptor lies."""
        folder = self.referrers(subject)
        return f"{folder}/{digest.algorithm}/{digest.encoded}/descriptor"


@frozen
class UploadLayout:
    """The paths of one upload session.

    Attributes:
        root: The session's folder.
    """

    root: str

    @property
    def data(self) -> str:
        """The bytes so far."""
        return f"{self.root}/data"

    @property
    def started_at(self) -> str:
        """When the session began, RFC 3339 in UTC."""
        return f"{self.root}/startedat"

    @property
    def hash_states(self) -> str:
        """The folder with a folder for each algorithm."""
        return f"{self.root}/hashstates"

    def hash_state(self, algorithm: str, offset: int) -> str:
        """Return where the state of a hash after ``offset`` bytes lies."""
        return f"{self.hash_states}/{algorithm}/{offset}"
