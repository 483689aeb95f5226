"""Captures replayed: a script on the messages that a proxy has received, and what it does with them."""
