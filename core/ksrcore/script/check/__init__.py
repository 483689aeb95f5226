"""Finding mistakes in a KEMI script before it runs.

:func:`check` takes the source and gives a list of :class:`Finding`; it needs no proxy and runs nothing of the script.
"""

from ...kemi.catalog import Api, kamailio, release
from .api import api_of, ksr_paths
from .checker import Around, Signature, check
from .finding import CODES, Finding

__all__ = ["CODES", "Api", "Around", "Finding", "Signature", "api_of", "check", "kamailio", "ksr_paths", "release"]
