// Who is logged in, and what they may do here.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";

import { desk, onSessionLost, Problem, type Schemas, sendCsrf, told } from "./api/client";

export type Session = Schemas["SessionAnswer"];

type Known = { session: Session | null; loading: boolean; problem: Problem | null; again: () => void };

const SessionContext = createContext<Known>({ session: null, loading: true, problem: null, again: () => undefined });

/** Asks once who is logged in, and again whenever a request finds that nobody is any more: the page stays where it is. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const { data, error, isPending } = useQuery<Session | null, Problem>({
    queryKey: ["session"],
    queryFn: async () => {
      try {
        const session = await told(desk.GET("/v1/session"));
        sendCsrf(session.csrf);
        return session;
      } catch (problem) {
        if (problem instanceof Problem && problem.status === 401) return null;
        throw problem;
      }
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
  useEffect(() => onSessionLost(() => client.setQueryData(["session"], null)), [client]);
  const known = useMemo(
    () => ({
      session: data ?? null,
      loading: isPending,
      problem: error,
      again: () => void client.invalidateQueries({ queryKey: ["session"] }),
    }),
    [data, error, isPending, client],
  );
  return <SessionContext.Provider value={known}>{children}</SessionContext.Provider>;
}

export function useSession(): Known {
  return useContext(SessionContext);
}

/** Whether whoever is logged in has a scope. */
export function useMay(scope: string): boolean {
  return useSession().session?.scopes.includes(scope) ?? false;
}
