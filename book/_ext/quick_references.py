"""References by number read the page that they lead to once.

Sphinx reads it from the disk for each `numref`, hundreds of times: a third of a build of the book.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata


class ReadOnce:
    """An environment whose pages are read from the disk once, for those who only look at them."""

    def __init__(self, env: BuildEnvironment) -> None:
        self._env = env
        self._pages: dict[str, nodes.document] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def get_doctree(self, docname: str) -> nodes.document:
        if docname not in self._pages:
            self._pages[docname] = self._env.get_doctree(docname)
        return self._pages[docname]


class QuickReferences(StandardDomain):
    """Sphinx's own domain, whose references share what is read while pages are written."""

    shared: ReadOnce | None = None

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> nodes.Element | None:
        env = (self.shared or env) if typ == "numref" else env  # type: ignore[assignment]
        return super().resolve_xref(env, fromdocname, builder, typ, target, node, contnode)


def share(app: Sphinx, env: BuildEnvironment) -> None:
    """All pages are read, and none changes any more."""
    domain = env.get_domain("std")
    assert isinstance(domain, QuickReferences)
    domain.shared = ReadOnce(env)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_domain(QuickReferences, override=True)
    app.connect("env-updated", share, priority=1000)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
