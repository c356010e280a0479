// Cases as the review page works on them: what is asked of the server, and what a case looks like meanwhile.

import type { Schemas } from "./api/client";

export type Case = Schemas["CaseAnswer"];
export type Outcome = Schemas["Outcome"];

/** How grave an action is, in a word that has a colour of its own. */
export function severity(action: string): "critical" | "high" | "medium" | "low" {
  if (action === "ban" || action === "suspend") return "critical";
  if (action === "hold") return "high";
  return action === "challenge" || action === "throttle" ? "medium" : "low";
}

/** The case after the one that is at a place, where that is taken away: the same place, or the last. */
export function following(cases: readonly Case[], gone: number): Case | undefined {
  const at = cases.findIndex((each) => each.number === gone);
  const left = cases.filter((each) => each.number !== gone);
  return left[Math.min(Math.max(at, 0), left.length - 1)];
}

/** The case so many places further, and no further than the ends. */
export function moved(cases: readonly Case[], from: number | undefined, by: number): Case | undefined {
  const at = cases.findIndex((each) => each.number === from);
  return cases[at < 0 ? 0 : Math.min(Math.max(at + by, 0), cases.length - 1)];
}

/** A case as a server that has yet to answer will have it. */
export function claimedBy(one: Case, by: string, until: Date): Case {
  return { ...one, claimed_by: by, claimed_until: until.toISOString() };
}
