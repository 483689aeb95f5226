"""The frame of an output: its style, scoped to itself, and the scripts that its parts need."""

from __future__ import annotations

from hashlib import sha256

from .markup import Html, join, tag
from .scripts import SCRIPTS
from .style import BASE, STYLES


def page(body: Html) -> str:
    """``body`` with what it needs. Equal values give equal HTML: saved notebooks do not change by themselves."""
    key = sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    style = BASE + "".join(css for mark, css in STYLES if mark in body)
    parts = [js for mark, js in SCRIPTS if mark in body]
    script = None
    if parts:
        # Each output is found by its own mark, also when a cell was copied and there are two of it.
        code = f"""document.querySelectorAll('[data-ksr="{key}"]:not([data-on])').forEach(function(root){{"""
        code += 'root.setAttribute("data-on","");' + "".join(parts) + "});"
        script = Html(f"<script>(function(){{'use strict';{code}}})();</script>")
    # Keys pressed in it are for it, not JupyterLab's commands.
    root = tag("div", join([Html(f"<style>{style}</style>"), body]), class_="ksr", data_ksr=key,
               data_lm_suppress_shortcuts="true")  # fmt: skip
    return str(root) + (script or "")
