// The pages, and what is shown where nobody is logged in: the page's address stays, so that it is there again afterwards.

import { Redirect, Route, Switch } from "wouter";

import { Login } from "./pages/login";
import { ReviewPage } from "./pages/review";
import { useSession } from "./session";
import { Shell } from "./shell";

export function App() {
  const { session, loading, problem } = useSession();
  if (loading) return null;
  if (problem) return <Unreachable words={problem.message} />;
  if (!session || session.must_enrol) return <Login enrol={session?.must_enrol ?? false} />;
  return (
    <Shell>
      <Switch>
        <Route path="/review/:number?" component={ReviewPage} />
        <Route path="/">
          <Redirect to="/review" replace />
        </Route>
        <Route>
          <div className="empty">
            <strong>There is no such page.</strong>
            Press <kbd>Ctrl</kbd> <kbd>K</kbd> to find one.
          </div>
        </Route>
      </Switch>
    </Shell>
  );
}

function Unreachable({ words }: { words: string }) {
  return (
    <main className="gate" role="alert">
      <h1>Fairgate can't be reached</h1>
      <p>{words}</p>
    </main>
  );
}
