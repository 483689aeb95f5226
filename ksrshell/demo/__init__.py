"""``ksrshell demo``: a proxy on a bundled script, two user agents that call each other, and the shell on it."""
