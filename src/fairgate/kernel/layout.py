"""Where things stand in the arrays that the compiled functions share. Modules write `at.FIRST_RING` and the like.

Names beginning with FIRST and END bound a range: from the first up to, not including, the end.
"""

# A row: the header, the head tick of each ring, the rings' cells, the value sets. LAST_TOUCHED is the clock, in
# microseconds, when it last counted anything.
KEY, FAMILY, LAST_TOUCHED, ROW_HEADER = 0, 1, 2, 3
SET_SLOTS = 16
SET_WORDS = 1 + 2 * SET_SLOTS  # where it spilled to (0: it has not), values, the ticks at which they were last seen
CACHE_LINE = 8

# A chunk that a set spills to, in place of a row.
LAST_SEEN, BASE_TICK, STAMPS, SPILL_WORDS = 2, 3, 4, 260
SPILL_FAMILY = 1 << 40  # stands where a row has its family
STAMP_COUNT, STAMP_MAX = 1_024, 65_535  # a distinct count's: 16 bits each
CELL_COUNT, CELL_PROBES = 512, 8  # is_new's: a stamp and a fingerprint each

# A request: the header, then key hashes (0: missing), value hashes (0: missing) and float64 bits (NaN: missing).
EVENT_TYPE, CLOCK, TIME, REQUEST_HEADER = 0, 1, 2, 3
NO_SLOT = -1

# Counters. The heads of the lists of free rows, one per family, follow FREE_ROWS.
BUMP = 0  # first arena word never used
ROWS = 1  # rows in the table
CURSOR = 2  # where the next sweep goes on
EVICTED = 3
SPILLS = 4  # chunks in use
FREE_SPILL = 5
FREE_ROWS = 6

# An event's moment: a record for each window, and one more for `advance` to scribble on.
NOW, NOW_BUCKET, OWN, OWN_BUCKET, DEAD, MOMENT_WORDS = range(6)

# The program: the number of the rows' layout, four addresses, then records, which refer to each other by address.
LAYOUT, TYPES, FAMILIES, FIRST_WINDOW, END_WINDOW, DIRECTORY_WORDS = range(6)
LAYOUT_NUMBER = 1  # raised whenever rows or chunks are laid out otherwise, so that rows of an older kernel are known
WINDOW_TICK, WINDOW_BUCKETS, WINDOW_WORDS = range(3)
RING_WINDOW, RING_BUCKETS, RING_HEAD, RING_START, RING_CELLS, RING_EMPTY, RING_WORDS = range(7)
ROW_WORDS, KEEP, SALT, FIRST_RING, END_RING, FIRST_SET, END_SET, FAMILY_WORDS = range(8)
TOUCH_FAMILY, FIRST_KEY, END_KEY, FIRST_BEFORE, FIRST_FEED, FIRST_AFTER, END_AFTER, TOUCH_WORDS = range(8)
OP, OP_WINDOW, OP_WHERE, OP_BUCKETS, OP_OTHER, OP_SLOT, OP_OUT, OP_WORDS = range(8)
FIRST_TOUCH, END_TOUCH, OUTS, MOST_WORDS, TYPE_WORDS = range(5)
