import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` shows the page of a running instance: BIWA_URL says where it listens.
const instance = process.env.BIWA_URL ?? "http://127.0.0.1:8700";

export default defineConfig({
  plugins: [react()],
  build: {
    // The first versions that know light-dark(), which both themes are written with.
    target: ["chrome123", "firefox120", "safari17.5"],
    sourcemap: false,
    // A data: URL would need its own exception in the server's content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  // A zone that is not UTC, so that a test sees where one is taken for the other.
  test: { env: { TZ: "Asia/Tokyo" } },
  server: {
    // The server refuses requests that come from another origin than its own.
    proxy: { "/api": { target: instance, changeOrigin: true, headers: { Origin: instance } } },
  },
});
