"""Arrow's functions without their stubs, which know too few of the types that the functions take."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow.compute

pc: Any = pyarrow.compute

Values: TypeAlias = Any
"""An Arrow array."""
