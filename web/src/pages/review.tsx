// Review: the queue by value on the left, on the right why a case is there and what can be done about it.

import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useParams } from "wouter";

import { desk, door, Problem, type Schemas, told } from "../api/client";
import { type Case, following, moved, severity } from "../cases";
import { Decide, type Verdict } from "../decide";
import { type Key, useKeys } from "../keys";
import { useSession } from "../session";
import { ago, dollars, local, percent, utc } from "../words";

const COLUMNS = { gridTemplateColumns: "72px minmax(120px, 1.4fr) 96px minmax(120px, 1fr) 88px 88px 72px" };
const ROW = 28;
/** Files of so many of the next cases are fetched before anybody looks: moving on needs no wait then. */
const AHEAD = 4;
const QUEUE = ["cases", "queue"] as const;

type Doing = "bad" | "benign" | "unknown" | "escalate" | "snooze" | "note" | null;

export function ReviewPage() {
  const { number } = useParams<{ number?: string }>();
  const [, go] = useLocation();
  const { session } = useSession();
  const client = useQueryClient();
  const queue = useQuery({ queryKey: QUEUE, queryFn: () => told(desk.GET("/v1/cases/queue")), refetchInterval: 10_000 });
  const cases = useMemo(() => queue.data?.cases ?? [], [queue.data]);
  const chosen = cases.find((each) => each.number === Number(number)) ?? (number ? undefined : cases[0]);
  const [doing, setDoing] = useState<Doing>(null);
  const [said, setSaid] = useState("");
  const choose = useCallback((one: Case | undefined) => one && go(`/review/${one.number}`, { replace: true }), [go]);

  useEffect(() => {
    const at = cases.findIndex((each) => each.number === chosen?.number);
    for (const each of cases.slice(Math.max(at, 0), at + 1 + AHEAD)) {
      void client.prefetchQuery({ ...fileOf(each.number), staleTime: 15_000 });
      for (const event of each.events.slice(0, 1)) void client.prefetchQuery({ ...decisionOf(event), staleTime: 60_000 });
    }
  }, [cases, chosen, client]);

  /** Do something to a case; it leaves the queue at once, and comes back with the reason where that fails. */
  const act = useCallback(
    async (one: Case, what: string, call: (seen: Case) => Promise<unknown>, leaves: boolean) => {
      const before = client.getQueryData<Schemas["QueueAnswer"]>(QUEUE);
      setDoing(null);
      if (leaves && before) {
        const next = following(before.cases, one.number);
        client.setQueryData<Schemas["QueueAnswer"]>(QUEUE, {
          ...before,
          cases: before.cases.filter((each) => each.number !== one.number),
        });
        if (next) choose(next);
        else go("/review", { replace: true });
      }
      setSaid(`Case ${one.number}: ${what}`);
      try {
        await call(await mine(one, session?.name ?? ""));
      } catch (error) {
        if (before) client.setQueryData(QUEUE, before);
        choose(one);
        const words = error instanceof Problem ? error.message : String(error);
        setSaid(`Case ${one.number} is as it was: ${words}`);
        notifications.show({ color: "danger", role: "alert", title: `Case ${one.number} is as it was`, message: words, autoClose: false });
      } finally {
        await client.invalidateQueries({ queryKey: ["cases"] });
      }
    },
    [client, choose, go, session],
  );

  const keys = useMemo<readonly Key[]>(() => {
    const on = (does: Doing) => () => chosen && setDoing(does);
    return [
      { keys: "j", does: "Next case", under: "Review", run: () => choose(moved(cases, chosen?.number, 1)) },
      { keys: "k", does: "Case before", under: "Review", run: () => choose(moved(cases, chosen?.number, -1)) },
      { keys: "b", does: "They are bad: act on them", under: "Review", run: on("bad") },
      { keys: "a", does: "They are honest", under: "Review", run: on("benign") },
      { keys: "q", does: "Nobody can tell", under: "Review", run: on("unknown") },
      { keys: "e", does: "Escalate to a lead", under: "Review", run: on("escalate") },
      { keys: "s", does: "Snooze", under: "Review", run: on("snooze") },
      { keys: "n", does: "Note something", under: "Review", run: on("note") },
    ];
  }, [cases, chosen, choose]);
  useKeys(keys);

  const submit = (one: Case, verdict: Verdict) => void act(one, verdict.said, (seen) => send(seen, verdict), verdict.leaves);
  return (
    <>
      <div className="bar">
        <h1>Review</h1>
        <span className="quiet">
          {queue.data ? `${queue.data.ready} of ${queue.data.open} open cases wait for somebody` : " "}
        </span>
        <span className="visually-hidden" role="status">
          {said}
        </span>
      </div>
      {queue.error && <p className="notice bad">{queue.error.message}</p>}
      <div className="split">
        <Queue cases={cases} chosen={chosen?.number} choose={choose} loading={queue.isPending} />
        <aside className="pane" aria-label="Case">
          {chosen && <Detail key={chosen.number} one={chosen} start={setDoing} />}
          {!chosen && queue.data && <Nothing number={number} />}
        </aside>
      </div>
      {chosen && doing && <Decide one={chosen} doing={doing} close={() => setDoing(null)} submit={submit} />}
    </>
  );
}

// ----------------------------------------------------------------------------------------------------------- the queue

type QueueProps = { cases: readonly Case[]; chosen: number | undefined; choose: (one: Case) => void; loading: boolean };

function Queue({ cases, chosen, choose, loading }: QueueProps) {
  const frame = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: cases.length, getScrollElement: () => frame.current, estimateSize: () => ROW, overscan: 12 });
  const at = cases.findIndex((each) => each.number === chosen);
  useEffect(() => {
    if (at >= 0) rows.scrollToIndex(at);
  }, [at, rows]);
  const now = new Date();
  return (
    <div className="list" ref={frame} role="grid" aria-label="Open cases, the most valuable first" aria-rowcount={cases.length + 1}>
      <div className="row head" role="row" style={COLUMNS}>
        <span role="columnheader">Case</span>
        <span role="columnheader">Accounts</span>
        <span role="columnheader">Suggested</span>
        <span role="columnheader">Reasons</span>
        <span role="columnheader" className="right">A minute saves</span>
        <span role="columnheader" className="right">They burn</span>
        <span role="columnheader" className="right">Open for</span>
      </div>
      {cases.length === 0 && !loading && (
        <div className="empty">
          <strong>No case waits.</strong>
          Cases come here by themselves where the pack's <code>[cases]</code> says so.
        </div>
      )}
      <div style={{ height: rows.getTotalSize(), position: "relative" }}>
        {rows.getVirtualItems().map((item) => {
          const each = cases[item.index];
          if (!each) return null;
          return (
            <div
              key={each.number}
              className="row"
              role="row"
              aria-rowindex={item.index + 2}
              aria-selected={each.number === chosen}
              style={{ ...COLUMNS, position: "absolute", top: item.start, left: 0, right: 0 }}
              onClick={() => choose(each)}
              onKeyDown={() => undefined}
            >
              <span role="gridcell">{each.number}</span>
              <span role="gridcell" className="mono" title={each.accounts[0]}>
                {each.accounts[0]}
                {each.accounts.length > 1 && <span className="quiet"> and {each.accounts.length - 1} more</span>}
              </span>
              <span role="gridcell">
                {each.suggested && <span className={`chip ${severity(each.suggested)}`}>{each.suggested}</span>}
                {each.blind && <span className="chip low">second look</span>}
              </span>
              <span role="gridcell" title={each.reasons.join(", ")}>
                {each.reasons.join(", ") || each.why}
              </span>
              <span role="gridcell" className="right">{each.value !== null && dollars(each.value)}</span>
              <span role="gridcell" className="right">{each.burn !== null && `${dollars(each.burn)}/h`}</span>
              <span role="gridcell" className="right">{each.opened !== null && ago(new Date(each.opened), now)}</span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Nothing({ number }: { number: string | undefined }) {
  return (
    <div className="empty">
      <strong>{number ? `Case ${number} is not in the queue.` : "Nothing is chosen."}</strong>
      {number ? "It was decided, sleeps, or is somebody else's." : "Choose a case with j and k, or by a click."}
    </div>
  );
}

// ---------------------------------------------------------------------------------------------------------- the detail

function fileOf(number: number) {
  return {
    queryKey: ["cases", number] as const,
    queryFn: () => told(desk.GET("/v1/cases/{number}", { params: { path: { number } } })),
  };
}

function decisionOf(event: number) {
  return {
    queryKey: ["decisions", event] as const,
    queryFn: () => told(door.GET("/v1/decisions/{id}", { params: { path: { id: String(event) } } })),
  };
}

function Detail({ one, start }: { one: Case; start: (doing: Doing) => void }) {
  const file = useQuery({ ...fileOf(one.number), staleTime: 15_000 });
  const first = one.events[0];
  const decision = useQuery({ ...decisionOf(first ?? 0), staleTime: 60_000, enabled: first !== undefined });
  const settled = first === undefined || !decision.isPending; // what is below it would jump else
  return (
    <>
      <h1>
        Case {one.number} {one.escalated && <span className="chip high">escalated</span>}
      </h1>
      <p className="quiet">
        {one.claimed_by ? `${one.claimed_by} is at it` : "Nobody is at it"}.{" "}
        {one.suggested && (
          <>
            Suggested: <span className={`chip ${severity(one.suggested)}`}>{one.suggested}</span>
          </>
        )}
        {one.blind && "You judge it by the evidence alone: what others said and what it is worth are not shown."}
      </p>
      <div style={{ display: "flex", gap: 8, flexWrap: "wrap" }}>
        <Button size="compact-sm" color="danger" title="b" onClick={() => start("bad")}>Bad</Button>
        <Button size="compact-sm" variant="default" title="a" onClick={() => start("benign")}>Honest</Button>
        <Button size="compact-sm" variant="default" title="q" onClick={() => start("unknown")}>Can't tell</Button>
        <Button size="compact-sm" variant="default" title="e" onClick={() => start("escalate")}>Escalate</Button>
        <Button size="compact-sm" variant="default" title="s" onClick={() => start("snooze")}>Snooze</Button>
        <Button size="compact-sm" variant="default" title="n" onClick={() => start("note")}>Note</Button>
      </div>
      {settled && (
        <section aria-label="Why">
          <h2>Why</h2>
          {one.why && <p>{one.why}</p>}
          {first === undefined && <p className="quiet">No decision speaks for it.</p>}
          <ul style={{ margin: 0, paddingLeft: 16 }}>
            {decision.data?.reasons.map((each) => (
              <li key={each.code}>
                {each.reviewer} <span className="quiet">({each.rules.join(", ")})</span>
              </li>
            ))}
            {decision.error && one.reasons.map((each) => <li key={each}>{each}</li>)}
          </ul>
        </section>
      )}
      {settled && one.probability !== null && one.burn !== null && one.value !== null && (
        <section aria-label="At stake">
          <h2>At stake</h2>
          <dl className="facts">
            <dt>They are bad</dt>
            <dd>{percent(one.probability)} likely</dd>
            <dt>They burn</dt>
            <dd>{dollars(one.burn)} of compute an hour</dd>
            <dt>A minute saves</dt>
            <dd>
              {dollars(one.value)}, of {one.minutes} expected
            </dd>
          </dl>
        </section>
      )}
      {settled && <section aria-label="Accounts">
        <h2>Accounts ({one.accounts.length})</h2>
        {one.accounts.slice(0, 20).map((each) => (
          <div key={each}>
            <code>{each}</code>
          </div>
        ))}
        {one.accounts.length > 20 && <p className="quiet">and {one.accounts.length - 20} more</p>}
      </section>}
      {settled && <section aria-label="History">
        <h2>History</h2>
        {file.data?.history.map((each) => (
          <p key={`${each.at} ${each.what}`}>
            <time dateTime={each.at} title={utc(new Date(each.at))} className="quiet">
              {local(new Date(each.at))}
            </time>{" "}
            {each.by || "a decision"} {each.what}
            {each.said && `: ${each.said}`}
          </p>
        ))}
        {file.error && <p className="notice bad">{file.error.message}</p>}
      </section>}
    </>
  );
}

// ---------------------------------------------------------------------------------------------------------- what is sent

const seen = (one: Case) => ({ path: { number: one.number }, header: { "if-match": `"${one.version}"` } });

/** The case, which is the caller's now: what is decided must be. */
async function mine(one: Case, by: string): Promise<Case> {
  if (one.claimed_by === by) return one;
  return told(desk.POST("/v1/cases/{number}/claim", { params: seen(one) }));
}

function send(one: Case, verdict: Verdict): Promise<unknown> {
  const params = seen(one);
  switch (verdict.kind) {
    case "decide":
      return told(desk.POST("/v1/cases/{number}/decision", { params, body: verdict.body }));
    case "escalate":
      return told(desk.POST("/v1/cases/{number}/escalate", { params, body: { why: verdict.why } }));
    case "snooze":
      return told(desk.POST("/v1/cases/{number}/snooze", { params, body: { for: verdict.length, why: verdict.why } }));
    case "note":
      return told(desk.POST("/v1/cases/{number}/notes", { params, body: { text: verdict.why } }));
  }
}
