"""A real Kamailio: its configuration, its RPC, the agent in it and the process that speaks for it."""
