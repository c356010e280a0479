"""The arena: worlds played against packs, and what came of it for opponents, honest people, and the company."""
