"""The embedded proxy core of ksrshell: SIP, transactions, KSR modules, scripts. No terminal, no IPython, no Jupyter."""

__version__ = "0.1.0"
