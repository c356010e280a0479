import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairgate.kernel.rows import Memory

KEYS = st.lists(st.sampled_from([1, 2, 3, 1 << 11, 1 << 12, (1 << 64) - 1, 1 << 63]), max_size=8)


@given(st.lists(st.tuples(KEYS, st.booleans()), max_size=8))
def test_first_positions_are_those_of_a_dict(batches: list[tuple[list[int], bool]]) -> None:
    memory, known, position = Memory(), dict[int, int](), 0
    for keys, forget in batches:
        expected, first = [], position
        for key in keys:
            expected.append(known.get(key, -1))
            if key not in known:
                known[key] = position
                position += 1
        assert memory.remember(np.array(keys, np.uint64), first).tolist() == expected
        if forget:
            memory.forget_before(position // 2)
            known = {key: met for key, met in known.items() if met >= position // 2}
        assert len(memory) == len(known)
        again = Memory()
        again.load(memory.array())
        memory = again


def test_it_grows() -> None:
    memory, keys = Memory(), np.arange(1, 50_001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert set(memory.remember(keys, 0).tolist()) == {-1}
    assert memory.remember(keys, 50_000).tolist() == list(range(50_000))
    assert len(memory) == 50_000
