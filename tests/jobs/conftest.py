"""The pipeline's small world, for runs in jobs."""

from tests.pipeline.conftest import pool as pool
from tests.pipeline.conftest import project as project
