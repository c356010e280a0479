// Logging in, and taking one-time codes where a role needs them. The page that was asked for is there afterwards.

import { Button, PasswordInput, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { desk, Problem, sendCsrf, told } from "../api/client";

export function Login({ enrol }: { enrol: boolean }) {
  return <main className="gate">{enrol ? <Enrol /> : <ByPassword />}</main>;
}

function ByPassword() {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function enter(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      const session = await told(desk.POST("/v1/session", { body: { name: name.trim(), password, code } }));
      sendCsrf(session.csrf);
      client.removeQueries({ predicate: (each) => each.queryKey[0] !== "session" });
      client.setQueryData(["session"], session);
    } catch (error) {
      setProblem(error instanceof Problem ? error.message : String(error));
      setCode("");
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={enter}>
      <h1>Log in to Fairgate</h1>
      <TextInput label="Name" required autoFocus autoComplete="username" value={name} onChange={(e) => setName(e.currentTarget.value)} />
      <PasswordInput
        label="Password"
        required
        autoComplete="current-password"
        value={password}
        onChange={(e) => setPassword(e.currentTarget.value)}
      />
      <TextInput
        label="One-time code"
        description="Where you have an authenticator app for it"
        inputMode="numeric"
        autoComplete="one-time-code"
        pattern="[0-9]{6}"
        maxLength={6}
        value={code}
        onChange={(e) => setCode(e.currentTarget.value)}
      />
      <div role="alert">{problem && <p className="notice bad">{problem}</p>}</div>
      <Button type="submit" loading={busy}>
        Log in
      </Button>
      <a href="/v1/session/oidc">Log in by your organisation</a>
    </form>
  );
}

function Enrol() {
  const client = useQueryClient();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [secret, setSecret] = useState<{ secret: string; uri: string } | null>(null);
  const [problem, setProblem] = useState("");

  async function next(event: FormEvent): Promise<void> {
    event.preventDefault();
    setProblem("");
    try {
      if (!secret) {
        setSecret(await told(desk.POST("/v1/session/totp", { body: { password } })));
      } else {
        await told(desk.POST("/v1/session/totp/confirm", { body: { code } }));
        await client.invalidateQueries({ queryKey: ["session"] });
      }
    } catch (error) {
      setProblem(error instanceof Problem ? error.message : String(error));
    }
  }

  return (
    <form onSubmit={next}>
      <h1>Take one-time codes</h1>
      <p className="quiet">Your role needs a code beside the password, from an authenticator app.</p>
      {secret ? (
        <>
          <p>
            Enter this secret in the app, or <a href={secret.uri}>open it there</a>: <code>{secret.secret}</code>
          </p>
          <TextInput
            label="The code that the app shows now"
            required
            autoFocus
            inputMode="numeric"
            pattern="[0-9]{6}"
            maxLength={6}
            value={code}
            onChange={(e) => setCode(e.currentTarget.value)}
          />
        </>
      ) : (
        <PasswordInput label="Your password" required autoFocus value={password} onChange={(e) => setPassword(e.currentTarget.value)} />
      )}
      <div role="alert">{problem && <p className="notice bad">{problem}</p>}</div>
      <Button type="submit">{secret ? "Confirm" : "Go on"}</Button>
    </form>
  );
}
