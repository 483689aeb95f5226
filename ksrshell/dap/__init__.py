"""``ksrshell dap``: the Debug Adapter Protocol, so that an editor debugs the routing script of a running proxy."""
