import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "@mantine/spotlight/styles.css";
import "./styles.css";

import { createTheme, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Problem } from "./api/client";
import { App } from "./app";
import { SessionProvider } from "./session";

// Ten tints each, of which the buttons' is dark enough for white words on it in either scheme.
const BRAND = ["#e8eff7", "#cfdeee", "#a5c1de", "#7aa3cd", "#5787bb", "#3d71a9", "#1f4f7a", "#1b4569", "#173a58", "#122e46"] as const;
const DANGER = ["#fbe9ec", "#f4cdd3", "#e69aa6", "#d66678", "#c43d53", "#b42239", "#a3122a", "#8a0f24", "#710c1d", "#590917"] as const;

const theme = createTheme({
  colors: { brand: BRAND, danger: DANGER },
  primaryShade: 6,
  fontFamily: '"Inter Variable", system-ui, sans-serif',
  fontFamilyMonospace: "ui-monospace, Menlo, Consolas, monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "13px", lg: "14px", xl: "16px" },
  primaryColor: "brand",
  defaultRadius: "sm",
  respectReducedMotion: true,
});

// What the server refuses it would refuse again; only what did not arrive is tried again.
const client = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 3 && (!(error instanceof Problem) || error.status === 0 || error.status === 503),
      refetchOnWindowFocus: true,
    },
  },
});

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <Notifications position="bottom-left" autoClose={6_000} />
        <SessionProvider>
          <App />
        </SessionProvider>
      </MantineProvider>
    </QueryClientProvider>
  </StrictMode>,
);
