"""Styles: colours of JupyterLab's and VS Code's theme where they are, of light and dark of our own elsewhere."""

from __future__ import annotations

_LIGHT = (
    "--k-fg:#1f2328;--k-bg:#fff;--k-dim:#59636e;--k-line:#d1d9e0;--k-soft:#f3f5f8;--k-here:#fff3c4;--k-sel:#dbe9ff;"
    "--k-cyan:#0b6b7d;--k-blue:#0a58ca;--k-green:#1a6e33;--k-red:#b42318;--k-yellow:#8a5a00;--k-magenta:#8250a0;"
    "--k-add:#e2f5e7;--k-del:#fde8e6;"
)
_DARK = (
    "--k-fg:#e6e6e6;--k-bg:#16191d;--k-dim:#9aa4af;--k-line:#3a424c;--k-soft:#20252b;--k-here:#4a3f12;--k-sel:#1d3557;"
    "--k-cyan:#5fd0e3;--k-blue:#79b8ff;--k-green:#6fd58a;--k-red:#ff8a80;--k-yellow:#e3b341;--k-magenta:#d2a8ff;"
    "--k-add:#12351d;--k-del:#4a1d1a;"
)

BASE = (
    f".ksr{{{_LIGHT}}}@media(prefers-color-scheme:dark){{.ksr{{{_DARK}}}}}"
    f"body[data-jp-theme-light=true] .ksr,body.vscode-light .ksr{{{_LIGHT}}}"
    f"body[data-jp-theme-light=false] .ksr,body.vscode-dark .ksr{{{_DARK}}}"
    "body[data-jp-theme-light] .ksr{--k-bg:var(--jp-layout-color0);--k-fg:var(--jp-content-font-color1);"
    "--k-line:var(--jp-border-color2)}"
    "body.vscode-light .ksr,body.vscode-dark .ksr{--k-bg:var(--vscode-editor-background);"
    "--k-fg:var(--vscode-editor-foreground)}"
    ".ksr{color:var(--k-fg);background:var(--k-bg);font:13px/1.45 system-ui,sans-serif;padding:2px 4px}"
    ".ksr pre,.ksr code{font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;color:inherit;background:none}"
    ".ksr pre{margin:2px 0;padding:0;white-space:pre;word-break:normal;overflow-wrap:normal;overflow-x:auto;border:0}"
    ".ksr pre.wrap{white-space:pre-wrap;overflow-wrap:anywhere}"
    ".ksr .dim{color:var(--k-dim)}.ksr .cyan{color:var(--k-cyan)}.ksr .blue{color:var(--k-blue)}"
    ".ksr .green{color:var(--k-green)}.ksr .red{color:var(--k-red)}.ksr .yellow{color:var(--k-yellow)}"
    ".ksr .magenta{color:var(--k-magenta)}.ksr .b{font-weight:600}.ksr .i{font-style:italic}"
    ".ksr :focus-visible{outline:2px solid var(--k-blue);outline-offset:1px}.ksr [hidden]{display:none!important}"
    ".ksr summary{cursor:pointer;padding:1px 0;white-space:pre-wrap}.ksr details{margin:2px 0}"
    ".ksr .card{border:1px solid var(--k-line);border-radius:4px;padding:4px 8px;margin:4px 0}"
    ".ksr .head{display:flex;flex-wrap:wrap;gap:2px 12px;margin:0 0 2px}"
    ".ksr pre.sip{background:var(--k-soft);padding:4px 8px;border-radius:3px}"
    ".ksr h4{font:600 12px/1.4 system-ui,sans-serif;margin:6px 0 2px;color:var(--k-dim)}"
    ".ksr .sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}"
)

#: What is added where the mark is in the HTML.
STYLES = (
    ("<table", (
        ".ksr .wide{overflow-x:auto}.ksr table{border-collapse:collapse;margin:2px 0;font-size:12px;color:inherit}"
        ".ksr th,.ksr td{text-align:left!important;padding:1px 10px 1px 0;border:0;background:none;white-space:nowrap;"
        "vertical-align:top}.ksr tbody tr:nth-child(even){background:var(--k-soft)}.ksr tbody tr:hover{"
        "background:var(--k-sel)}.ksr .r{text-align:right!important}.ksr th{border-bottom:1px solid var(--k-line)}"
        ".ksr th button{all:unset;font-weight:600;cursor:pointer;color:inherit}.ksr th button:focus-visible{"
        "outline:2px solid var(--k-blue)}.ksr th[aria-sort=ascending] button::after{content:' \\25B2'}"
        ".ksr th[aria-sort=descending] button::after{content:' \\25BC'}.ksr caption{text-align:left;"
        "color:var(--k-dim)}.ksr td.v{white-space:pre-wrap;overflow-wrap:anywhere;font-family:ui-monospace,monospace}"
    )),
    ('class="diff', (
        ".ksr .diff,.ksr pre.diff{font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;overflow-x:auto;"
        "border-radius:3px;margin:2px 0}"
        ".ksr .diff>*{display:block;white-space:pre;text-decoration:none;padding:0 6px;color:inherit}"
        ".ksr .diff ins{background:var(--k-add)}.ksr .diff del{background:var(--k-del)}"
        ".ksr .diff .hunk{color:var(--k-dim)}"
    )),
    ('data-draw="ladder', (
        ".ksr svg.ladder{max-width:100%;height:auto;display:block}.ksr svg text{font:12px system-ui,sans-serif;"
        "fill:var(--k-fg)}.ksr svg .end{font-weight:600}.ksr svg .t{fill:var(--k-dim);font-size:11px}"
        ".ksr .lane{stroke:var(--k-line);stroke-width:1.5}.ksr .m{cursor:pointer}.ksr .m:focus{outline:none}"
        ".ksr .m .hit{fill:transparent}.ksr .m:hover .hit{fill:var(--k-soft)}"
        ".ksr .m[aria-expanded=true] .hit{fill:var(--k-sel)}.ksr .m:focus-visible .hit{stroke:var(--k-blue);"
        "stroke-width:2}.ksr .m line,.ksr .m path{stroke:currentColor;fill:none;stroke-width:1.6}"
        ".ksr .m polygon{fill:currentColor}.ksr .m .what{fill:currentColor}"
        ".ksr .picked>details:not([open]){display:none}"
    )),
    ('class="panes', (
        ".ksr .bar{display:flex;flex-wrap:wrap;gap:4px;align-items:center;margin:2px 0 6px}"
        ".ksr .bar button{font:inherit;color:inherit;background:var(--k-soft);border:1px solid var(--k-line);"
        "border-radius:4px;padding:1px 8px;cursor:pointer}.ksr .bar button:disabled{opacity:.45;cursor:default}"
        ".ksr .bar input{flex:1 1 160px;min-width:120px;accent-color:var(--k-blue)}"
        ".ksr .panes{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:4px 14px}"
        "@media(max-width:760px){.ksr .panes{grid-template-columns:minmax(0,1fr)}}"
        ".ksr .scroll{max-height:24em;overflow:auto;border:1px solid var(--k-line);border-radius:4px;"
        "position:relative}.ksr .scroll.low{max-height:12em;padding:2px 6px}"
        ".ksr pre.src.scroll{margin:0;border:1px solid var(--k-line)}"
        ".ksr .ln{display:flex;white-space:pre;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;"
        "width:max-content;min-width:100%}.ksr .ln .no{flex:none;width:4em;text-align:right;padding:0 8px 0 0;"
        "color:var(--k-dim);user-select:none}.ksr .ln.ran .no{color:var(--k-blue);font-weight:600}"
        ".ksr .ln.here{background:var(--k-here)}"
        ".ksr .gap{display:block;height:0;border-top:1px dashed var(--k-line);margin:2px 0}"
        ".ksr ol.calls{margin:0;padding:0 0 0 2.4em;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace}"
        ".ksr ol.calls button{all:unset;cursor:pointer;vertical-align:top;overflow-wrap:anywhere}"
        ".ksr ol.calls button:focus-visible{outline:2px solid var(--k-blue)}"
        ".ksr ol.calls li.last{background:var(--k-here)}.ksr tr.chg td{background:var(--k-here);font-weight:600}"
    )),
    ('data-draw="plot', (
        ".ksr .plots{display:flex;flex-wrap:wrap;gap:4px 24px}"
        ".ksr svg.plot{max-width:100%;height:auto;display:block}.ksr svg.plot text{font:11px system-ui,sans-serif;"
        "fill:var(--k-dim)}.ksr svg.plot .axis{stroke:var(--k-line)}.ksr .k0{fill:#4c78a8;background:#4c78a8}"
        ".ksr .k1{fill:#f58518;background:#f58518}.ksr .k2{fill:#54a24b;background:#54a24b}"
        ".ksr .k3{fill:#e45756;background:#e45756}.ksr .k4{fill:#72b7b2;background:#72b7b2}"
        ".ksr .k5{fill:#eeca3b;background:#eeca3b}.ksr .k6{fill:#b279a2;background:#b279a2}"
        ".ksr .k7{fill:#9d755d;background:#9d755d}.ksr .key{display:inline-flex;align-items:center;gap:4px;"
        "margin-right:12px}.ksr .key i{width:10px;height:10px;border-radius:2px;display:inline-block}"
    )),
)  # fmt: skip
