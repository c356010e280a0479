// Keys: one list of what each does, which the sheet shows; ignored in inputs, editors and dialogs.

import { useEffect, useRef } from "react";

export type Key = {
  /** One key, or two in order with a space between: "g r". Letters as they are typed: "X" is Shift+x. */
  keys: string;
  /** What it does, in words. */
  does: string;
  /** Under which heading the sheet shows it. */
  under: string;
  run: () => void;
};

const STORED = "fairgate.keys";
const SEQUENCE_MS = 1_200;
const registered = new Map<symbol, readonly Key[]>();

/** Whether keys without Ctrl do anything: they can be switched off (WCAG 2.1.4). */
export function keysOn(): boolean {
  return localStorage.getItem(STORED) !== "off";
}

export function switchKeys(on: boolean): void {
  localStorage.setItem(STORED, on ? "on" : "off");
}

/** All keys that do something now, for the sheet. */
export function keysNow(): readonly Key[] {
  return [...registered.values()].flat();
}

/** Whether somebody is typing into something, or a dialog is open: keys are theirs then. */
export function isTaken(target: EventTarget | null): boolean {
  if (document.querySelector("[role=dialog],[role=alertdialog]")) return true;
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

/** What of the keys is meant by those that were pressed last: the longest that ends with them. */
export function meant(keys: readonly Key[], before: string, pressed: string): Key | "begun" | null {
  const two = keys.find((each) => each.keys === `${before} ${pressed}`);
  if (before && two) return two;
  const one = keys.find((each) => each.keys === pressed);
  if (one) return one;
  return keys.some((each) => each.keys.startsWith(`${pressed} `)) ? "begun" : null;
}

/** Let keys do something while a component is there. The newest of those that say the same counts. */
export function useKeys(keys: readonly Key[]): void {
  const held = useRef(Symbol("keys"));
  useEffect(() => {
    const at = held.current;
    registered.delete(at);
    registered.set(at, keys);
    return () => void registered.delete(at);
  }, [keys]);
}

/** Hear keys. Called once, by the shell. */
export function useKeyboard(): void {
  const before = useRef({ key: "", at: 0 });
  useEffect(() => {
    function pressed(event: KeyboardEvent): void {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTaken(event.target) || !keysOn()) return;
      const fresh = event.timeStamp - before.current.at < SEQUENCE_MS ? before.current.key : "";
      const found = meant(keysNow().toReversed(), fresh, event.key);
      before.current = { key: found === "begun" ? event.key : "", at: event.timeStamp };
      if (found && found !== "begun") {
        event.preventDefault();
        found.run();
      }
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}
