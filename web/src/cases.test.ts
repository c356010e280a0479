import { expect, test } from "vitest";

import { type Case, following, moved, severity } from "./cases";

const cases = [3, 1, 2].map((number) => ({ number }) as Case);

test("the next case has the place of the one that is gone, the last its neighbour's", () => {
  expect(following(cases, 3)?.number).toBe(1);
  expect(following(cases, 2)?.number).toBe(1);
  expect(following(cases.slice(0, 1), 3)).toBeUndefined();
});

test("moving stops at the ends, and begins with the first", () => {
  expect(moved(cases, 3, 1)?.number).toBe(1);
  expect(moved(cases, 2, 1)?.number).toBe(2);
  expect(moved(cases, 3, -1)?.number).toBe(3);
  expect(moved(cases, undefined, 1)?.number).toBe(3);
  expect(moved([], 3, 1)).toBeUndefined();
});

test("what takes everything away is critical, and nothing is ever safe", () => {
  expect(["allow", "watch", "throttle", "challenge", "hold", "suspend", "ban"].map(severity)).toEqual([
    "low", "low", "medium", "medium", "high", "critical", "critical",
  ]);
});
