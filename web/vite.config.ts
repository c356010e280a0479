import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Nothing is inlined: the pages run under `script-src 'self'; style-src 'self'`-like policies, and a browser keeps each file.
export default defineConfig({
  plugins: [react()],
  build: { assetsInlineLimit: 0, sourcemap: false, target: "es2022" },
  server: { proxy: { "/v1": "http://127.0.0.1:8081" } },
});
