"""Write the JSON Schemas: ``python -m spectrosim_search.search.documents [FOLDER]`` (default: ``schemas``)."""

import sys
from pathlib import Path

from spectrosim_search.search.documents.schemas import write_schemas

if __name__ == "__main__":
    for written in write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "schemas")):
        sys.stdout.write(f"{written}\n")
