"""Pseudo-variables: ``$ru``, ``$(hdr(X)[1]{s.len})`` and the like, read and written.

:func:`compile_spec` and :func:`compile_format` turn texts into functions of a run, once per text. Importing
:mod:`ksrcore.pv.families` declares Kamailio's own variables; KSR modules declare theirs with
:func:`ksrcore.pv.registry.pv` and :func:`ksrcore.pv.registry.pv_class`.
"""
