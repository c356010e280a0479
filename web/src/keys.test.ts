import { expect, test } from "vitest";

import { type Key, meant } from "./keys";

const key = (keys: string): Key => ({ keys, does: "", under: "", run: () => undefined });
const KEYS = [key("j"), key("r"), key("g r"), key("g o"), key("?")];

test("a key alone, and the second of two only after the first", () => {
  expect(meant(KEYS, "", "j")).toBe(KEYS[0]);
  expect(meant(KEYS, "", "r")).toBe(KEYS[1]);
  expect(meant(KEYS, "g", "r")).toBe(KEYS[2]);
  expect(meant(KEYS, "g", "x")).toBeNull();
});

test("the first of two is begun, and what begins nothing is none", () => {
  expect(meant(KEYS, "", "g")).toBe("begun");
  expect(meant(KEYS, "", "z")).toBeNull();
});

test("of those that say the same the first counts", () => {
  const newer = key("j");
  expect(meant([newer, ...KEYS], "", "j")).toBe(newer);
});
