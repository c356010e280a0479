// The desk's API, typed by its OpenAPI document; the door's is behind it at /v1/door, asked in the name of whoever is logged in.

import createClient, { type Middleware } from "openapi-fetch";

import type { paths as DeskPaths, components } from "./desk";
import type { paths as DoorPaths } from "./door";

export type Schemas = components["schemas"];

/** What went wrong, in words that may be shown. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string = "",
  ) {
    super(message);
  }
}

type Told = { error?: { code?: string; reason?: string; field?: string } };

let csrf = "";
const lost = new Set<() => void>();

/** What the session says must be sent with what changes anything. */
export function sendCsrf(token: string): void {
  csrf = token;
}

/** Be told when the session is over. */
export function onSessionLost(call: () => void): () => void {
  lost.add(call);
  return () => lost.delete(call);
}

const middleware: Middleware = {
  onRequest({ request }) {
    if (csrf && request.method !== "GET") request.headers.set("Fairgate-CSRF", csrf);
    return request;
  },
  onResponse({ response, schemaPath }) {
    if (response.status === 401 && schemaPath !== "/v1/session") for (const call of lost) call();
    return response;
  },
  onError() {
    return new Problem(0, "unreachable", "The server can't be reached. What you see may be old; it is tried again.");
  },
};

export const desk = createClient<DeskPaths>({ baseUrl: "/" });
export const door = createClient<DoorPaths>({ baseUrl: "/v1/door" });
desk.use(middleware);
door.use(middleware);

/** The data of an answer. Throws `Problem` in the server's words. */
export async function told<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok) return data as T;
  const said = (error as Told | undefined)?.error;
  throw new Problem(
    response.status,
    said?.code ?? "unknown",
    said?.reason ?? `The server answered with status ${response.status}.`,
    said?.field ?? "",
  );
}
