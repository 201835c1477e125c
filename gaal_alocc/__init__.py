"""What running GAAL and running ALOCC have in common, and neither paper speaks of.

Nothing here knows a network or an update; both packages import it, it imports neither but where
Keras asks for a class by its name (``imports``).
"""

from gaal_alocc import imports, onednn

__version__ = "0.1.0"

imports.watch()
onednn.choose()
