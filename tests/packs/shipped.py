"""The pack that ships, as its tests use it."""

from datetime import UTC, datetime
from pathlib import Path

from fairgate.domain.event import microseconds
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import load_pack

ROOT = Path(__file__).parents[2]
PACK = load_pack(ROOT / "src" / "fairgate" / "packs" / "ai_api")
CHECKED = check_pack(PACK, TYPES)
START = microseconds(datetime(2026, 1, 5, tzinfo=UTC))
