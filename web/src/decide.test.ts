import { expect, test } from "vitest";

import { verdict } from "./decide";

test("bad is acted on unless nothing is to be done", () => {
  expect(verdict("bad", "so", "hold", "4h", true)).toMatchObject({
    kind: "decide",
    said: "bad, hold",
    leaves: true,
    body: { outcome: "bad", actions: [{ action: "hold" }], undo: false },
  });
  expect(verdict("bad", "so", "none", "4h", true)).toMatchObject({ body: { actions: [] } });
});

test("what rules did is undone for the honest alone", () => {
  expect(verdict("benign", "so", "ban", "4h", true)).toMatchObject({ body: { outcome: "benign", undo: true, actions: [] } });
  expect(verdict("benign", "so", "ban", "4h", false)).toMatchObject({ body: { undo: false } });
  expect(verdict("unknown", "so", "ban", "4h", true)).toMatchObject({ body: { outcome: "unknown", undo: false } });
});

test("a note leaves the case where it is", () => {
  expect(verdict("note", "so", "ban", "4h", true)).toEqual({ kind: "note", said: "noted", leaves: false, why: "so" });
  expect(verdict("snooze", "so", "ban", "7d", true)).toMatchObject({ kind: "snooze", length: "7d", leaves: true });
});
