"""Generated input: what hostile and honest clients may send."""

from __future__ import annotations

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st

from txregistry.oci.digest import Digest
from txregistry.oci.errors import JSON

generated: Final = settings(
    max_examples=30, derandomize=True, deadline=None, database=None
)
"""The same input in each run, so that a failure is one for everybody."""

texts: Final = st.text(st.characters(codec=None, exclude_categories=()))
"""Any text, with what no encoding takes (lone surrogates)."""

digests: Final = st.builds(
    Digest.of, st.binary(), st.sampled_from(["sha256", "sha384", "sha512"])
)

scalars: Final[st.SearchStrategy[JSON]] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
)
documents: Final[st.SearchStrategy[JSON]] = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=9
)
"""Any JSON."""


def header_like(alphabet: str) -> st.SearchStrategy[str]:
    """Make texts of the characters that matter to a header's grammar, and of others."""
    return st.text(st.sampled_from(alphabet), max_size=40) | texts
