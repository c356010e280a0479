import { expect, test } from "vitest";

import { ago, dollars, number, percent, utc } from "./words";

test("how long ago, in one unit and never in the future", () => {
  const then = new Date("2026-01-05T10:00:00Z");
  const after = (seconds: number) => ago(then, new Date(then.getTime() + 1_000 * seconds));
  expect([0, 59, 60, 3_599, 3_600, 86_399, 86_400, 8_640_000].map(after)).toEqual([
    "0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "100 d",
  ]);
  expect(after(-5)).toBe("0 s");
});

test("money, numbers, parts and times", () => {
  expect([dollars(0.5), dollars(1_234.5), dollars(-3)]).toEqual(["$0.50", "$1,235", "-$3.00"]);
  expect(number(1_234_567)).toBe("1,234,567");
  expect([percent(0), percent(0.054), percent(0.5), percent(1)]).toEqual(["0 %", "5.4 %", "50 %", "100 %"]);
  expect(utc(new Date("2026-01-05T10:00:00Z"))).toBe("2026-01-05 10:00:00 UTC");
});
