"""Haystack components and pipelines: convert, index and retrieve documents.

Importing this package turns Haystack's usage telemetry off and imports Haystack without
torch: a question must not wait for a library it does not use.
"""

import os

from pipelines import deferred

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
deferred.import_haystack()
