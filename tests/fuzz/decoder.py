"""Coverage-guided fuzzing: `python -m tests.fuzz.decoder TARGET FOLDER [OPTION...]`.

TARGET is one of those in `properties`. FOLDER is made where it is not there: `corpus` in it begins with real events and
grows, an input that fails is kept beside it. Options are libFuzzer's, such as -max_total_time=20; the name of a file
tries that input alone.
"""

import random
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]

from fairgate.kernel.rows import warm  # before the others: numba can't compile what is watched

with atheris.instrument_imports(include=["fairgate"]):
    from tests.fuzz import properties

from tests.fuzz.mutate import mutated


def main(name: str, folder: Path, options: list[str]) -> None:
    """Fuzz until the time is up, which ends the process with 0, or something fails."""
    target, encoding = properties.TARGETS[name]
    corpus, words = folder / "corpus", folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    for at, seed in enumerate(properties.seeds(target)):
        (corpus / f"seed-{at}").write_bytes(seed)
    escaped = ["".join(f"\\x{byte:02x}" for byte in word) for word in properties.words()]
    words.write_text("".join(f'"{each}"\n' for each in escaped))
    warm()
    given = [f"-artifact_prefix={folder}/", f"-dict={words}", "-max_len=16384", "-timeout=10", *options]
    # An input to try comes in place of the corpus.
    inputs = [] if any(not each.startswith("-") for each in options) else [str(corpus)]

    def mutate(raw: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        other = mutated(raw, draw, encoding) if draw.random() < 0.7 else None
        return atheris.Mutate(raw, most) if other is None or len(other) > most else other

    atheris.Setup([sys.argv[0], *given, *inputs], target, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
