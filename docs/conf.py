"""The site of these pages and of the Python package's docstrings; `make docs` builds it."""

import redisai_rs
from pygments.lexers.special import TextLexer

project = "redisai-rs"
author = "the authors of redisai-rs"
release = redisai_rs.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_argparse_cli",
]
# The front page takes it in.
exclude_patterns = ["README.md"]
html_theme = "furo"
html_title = f"{project} {release}"

myst_heading_anchors = 3
# Words in backquotes, as in the pages.
default_role = "code"
highlight_language = "none"

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# `--option` is two hyphens.
smartquotes = False
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
# What lies outside this folder, for readers of the repository, and its place in the site.
MOVED = {
    "../CHANGELOG.md": "reference/changelog.md",
    "../SECURITY.md": "reference/security-policy.md",
}


def setup(app):
    """Adds the language of our transcripts, and leads links out of this folder to our own pages."""

    def relink(_app, _page, source):
        for outside, inside in MOVED.items():
            source[0] = source[0].replace(f"]({outside})", f"]({inside})")

    app.connect("source-read", relink)
    app.add_lexer("redis", TextLexer)
