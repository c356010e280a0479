// What is around every page: where one is, where one can go, and the keys.

import { ActionIcon, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Spotlight, spotlight } from "@mantine/spotlight";
import { useIsFetching, useQueryClient } from "@tanstack/react-query";
import { Inbox, Keyboard, LogOut, Moon, Sun } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { Link, useLocation } from "wouter";

import { desk } from "./api/client";
import { Dialog } from "./dialog";
import { type Key, keysNow, useKeyboard, useKeys } from "./keys";
import { useSession } from "./session";

type Place = { path: string; name: string; keys: string; icon: ReactNode; scope: string };

const PLACES: readonly Place[] = [
  { path: "/review", name: "Review", keys: "g r", icon: <Inbox size={15} aria-hidden />, scope: "review" },
];

export function Shell({ children }: { children: ReactNode }) {
  const { session } = useSession();
  const [location, go] = useLocation();
  const [sheet, setSheet] = useState(false);
  const scheme = useComputedColorScheme("light");
  const { setColorScheme } = useMantineColorScheme();
  const places = useMemo(() => PLACES.filter((each) => session?.scopes.includes(each.scope)), [session]);
  const keys = useMemo<readonly Key[]>(
    () => [
      ...places.map((each) => ({ keys: each.keys, does: each.name, under: "Go to", run: () => go(each.path) })),
      { keys: "?", does: "Show this sheet", under: "Everywhere", run: () => setSheet(true) },
    ],
    [places, go],
  );
  useKeyboard();
  useKeys(keys);
  return (
    <div className="shell">
      <header>
        <Link href="/" className="name">
          Fairgate
        </Link>
        <Connection />
        <span className="space" />
        <span className="quiet">
          {session?.name}
          {session?.role ? `, ${session.role}` : ""}
        </span>
        <ActionIcon variant="subtle" color="gray" aria-label="Keys" title="Keys (?)" onClick={() => setSheet(true)}>
          <Keyboard size={16} />
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={scheme === "dark" ? "Light colours" : "Dark colours"}
          onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
        >
          {scheme === "dark" ? <Sun size={16} /> : <Moon size={16} />}
        </ActionIcon>
        {session?.role && <LogOutButton />}
      </header>
      <nav aria-label="Pages">
        {places.map((each) => (
          <Link key={each.path} href={each.path} aria-current={location.startsWith(each.path) ? "page" : undefined}>
            {each.icon}
            {each.name}
            <kbd aria-hidden>{each.keys}</kbd>
          </Link>
        ))}
      </nav>
      <main>{children}</main>
      <KeySheet open={sheet} close={() => setSheet(false)} />
      <Spotlight
        shortcut="mod + K"
        nothingFound="Nothing of this name"
        searchProps={{ placeholder: "Go to a page", "aria-label": "Go to a page" }}
        actions={places.map((each) => ({ id: each.path, label: each.name, onClick: () => go(each.path) }))}
        onSpotlightOpen={() => undefined}
      />
    </div>
  );
}

function LogOutButton() {
  const client = useQueryClient();
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label="Log out"
      title="Log out"
      onClick={async () => {
        await desk.DELETE("/v1/session");
        client.setQueryData(["session"], null);
        client.removeQueries({ predicate: (each) => each.queryKey[0] !== "session" });
      }}
    >
      <LogOut size={16} />
    </ActionIcon>
  );
}

/** Says when the browser or the server is away, and nothing otherwise. */
function Connection() {
  const [online, setOnline] = useState(navigator.onLine);
  const fetching = useIsFetching();
  useEffect(() => {
    const on = () => setOnline(true);
    const off = () => setOnline(false);
    window.addEventListener("online", on);
    window.addEventListener("offline", off);
    return () => {
      window.removeEventListener("online", on);
      window.removeEventListener("offline", off);
    };
  }, []);
  if (!online) return <span className="chip high">offline: what you see is old</span>;
  return <span className="visually-hidden" aria-live="off">{fetching ? "loading" : ""}</span>;
}

function KeySheet({ open, close }: { open: boolean; close: () => void }) {
  const keys = open ? keysNow() : [];
  const headings = [...new Set(keys.map((each) => each.under))].sort();
  return (
    <Dialog open={open} close={close} title="Keys">
      {headings.map((heading) => (
        <section key={heading}>
          <h2>{heading}</h2>
          <dl className="facts">
            {keys
              .filter((each) => each.under === heading)
              .map((each) => (
                <Pair key={each.keys} keys={each.keys} does={each.does} />
              ))}
          </dl>
        </section>
      ))}
      <p className="quiet">
        <kbd>Ctrl</kbd> <kbd>K</kbd> finds a page. Keys do nothing while you type.
      </p>
    </Dialog>
  );
}

function Pair({ keys, does }: { keys: string; does: string }) {
  return (
    <>
      <dt>
        {keys.split(" ").map((each) => (
          <kbd key={each}>{each}</kbd>
        ))}
      </dt>
      <dd>{does}</dd>
    </>
  );
}

export { spotlight };
