// The dialog in which a reviewer says what they think of a case, and why: by keys alone, Ctrl+Enter submits.

import { Button, Radio, Select, Textarea } from "@mantine/core";
import { type FormEvent, type KeyboardEvent, useState } from "react";

import type { Schemas } from "./api/client";
import type { Case } from "./cases";
import { Dialog } from "./dialog";

export type Verdict = { said: string; leaves: boolean } & (
  | { kind: "decide"; body: Schemas["VerdictAsked"] }
  | { kind: "escalate" | "note"; why: string }
  | { kind: "snooze"; length: string; why: string }
);

type Doing = "bad" | "benign" | "unknown" | "escalate" | "snooze" | "note";

const TITLES: Record<Doing, string> = {
  bad: "They are bad",
  benign: "They are honest",
  unknown: "Nobody can tell",
  escalate: "Escalate to a lead",
  snooze: "Look again later",
  note: "Note something",
};
const ACTIONS = ["none", "watch", "throttle", "challenge", "hold", "suspend", "ban"] as const;
const LENGTHS = ["1h", "4h", "1d", "7d"];

type Props = { one: Case; doing: Doing; close: () => void; submit: (one: Case, verdict: Verdict) => void };

export function Decide({ one, doing, close, submit }: Props) {
  const [why, setWhy] = useState("");
  const [action, setAction] = useState<string>(one.suggested === null || one.suggested === "allow" ? "none" : one.suggested);
  const [length, setLength] = useState("4h");
  const [undo, setUndo] = useState("undo");

  function send(event: FormEvent | KeyboardEvent): void {
    event.preventDefault();
    if (why.trim()) submit(one, verdict(doing, why.trim(), action, length, undo === "undo"));
  }

  return (
    <Dialog open close={close} title={`${TITLES[doing]}: case ${one.number}`}>
      <form
        onSubmit={send}
        onKeyDown={(event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && send(event)}
        style={{ display: "grid", gap: 12 }}
      >
        {doing === "bad" && (
          <Select
            label={`What is done to ${one.accounts.length === 1 ? "the account" : `all ${one.accounts.length} accounts`}`}
            data={[...ACTIONS]}
            value={action}
            allowDeselect={false}
            onChange={(value) => setAction(value ?? "none")}
          />
        )}
        {doing === "benign" && (
          <Radio.Group label="What rules did to them" value={undo} onChange={setUndo}>
            <Radio value="undo" label="is undone" />
            <Radio value="stays" label="stays" />
          </Radio.Group>
        )}
        {doing === "snooze" && (
          <Select label="For how long" data={LENGTHS} value={length} allowDeselect={false} onChange={(value) => setLength(value ?? "4h")} />
        )}
        <Textarea
          label={doing === "note" ? "Note" : "Why, for whoever looks later"}
          required
          data-autofocus
          autosize
          minRows={3}
          maxLength={doing === "note" ? 4_000 : 500}
          value={why}
          onChange={(event) => setWhy(event.currentTarget.value)}
        />
        <Button type="submit" color={doing === "bad" ? "danger" : "brand"} disabled={!why.trim()}>
          {TITLES[doing]} <kbd style={{ marginLeft: 8 }}>Ctrl Enter</kbd>
        </Button>
      </form>
    </Dialog>
  );
}

/** What is sent, and what is said of it. */
export function verdict(doing: Doing, why: string, action: string, length: string, undo: boolean): Verdict {
  switch (doing) {
    case "bad": {
      const actions = action === "none" ? [] : [{ action: action as Schemas["StagedAction"]["action"] }];
      const body = { outcome: "bad" as const, why, confidence: 0.9, reasons: [], actions, undo: false };
      return { kind: "decide", said: actions.length ? `bad, ${action}` : "bad", leaves: true, body };
    }
    case "benign":
    case "unknown": {
      const body = { outcome: doing, why, confidence: 0.9, reasons: [], actions: [], undo: doing === "benign" && undo };
      return { kind: "decide", said: doing === "benign" ? "honest" : "nobody can tell", leaves: true, body };
    }
    case "escalate":
      return { kind: "escalate", said: "escalated", leaves: true, why };
    case "snooze":
      return { kind: "snooze", said: `asleep for ${length}`, leaves: true, length, why };
    case "note":
      return { kind: "note", said: "noted", leaves: false, why };
  }
}
