"""`fairgate reload`: another pack goes live while the door takes events."""

from collections.abc import Callable

from fairgate.entrypoints.door_client import open_door
from fairgate.settings import Settings
from fairgate.wiring import prepare


def run(settings: Settings, url: str | None, key: str | None, echo: Callable[[str], object]) -> int:
    """Check the pack, count its features from the log in this process, and have the door go over to it; 0.

    Raises `PackError` with all its faults before the door is asked anything, `DoorRefused` and `DoorUnreachable`.
    """
    pipeline, end = prepare(settings)
    pack = pipeline.engine.checked.pack
    if pipeline.anew:
        echo(f"the log's old records are dropped, so these know nothing of that time: {', '.join(pipeline.anew)}")
    echo(f"{pack.name} {pack.version} has no faults; its features are counted up to record {end:,}")
    with open_door(settings, url, key) as door:
        live = door.post_reload()
    echo(f"{live.pack} {live.version} ({live.digest[:8]}) {'is live now' if live.changed else 'was live already'}")
    return 0
