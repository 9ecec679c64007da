import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compress } from "./compress.js";
import { leanRules } from "./lean_rules.js";

// The gateway serves what is built here, file by file; supervisor/console.py reads the folder.
const BUILT = new URL("../.build/console", import.meta.url).pathname;

// While the console is worked on, `npm run dev` serves it in front of a stack that runs; the gateway takes only its own pages' calls.
const GATEWAY = process.env.TUNESMITH_PROXY ?? "http://127.0.0.1:8080";
const proxy = { target: GATEWAY, changeOrigin: true, headers: { origin: GATEWAY } };

export default defineConfig({
  plugins: [leanRules(), react(), compress(BUILT)],
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    target: "es2022",
    // The policy allows images and fonts of our own origin only: nothing is folded into data: addresses.
    assetsInlineLimit: 0,
    // Every page that loads modules can preload them; the polyfill would be an inline script.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: "index.html", tunesmith: "src/elements/tunesmith.ts" },
      output: {
        // The script that foreign pages name keeps its name; all else is named for its content and cached for good.
        entryFileNames: (chunk) => (chunk.name === "tunesmith" ? "tunesmith.js" : "assets/[name]-[hash].js"),
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  // The web components' script is loaded by pages of other origins: what it needs lies beside it, not below the page's own root.
  experimental: { renderBuiltUrl: (_, { hostType }) => (hostType === "js" ? { relative: true } : undefined) },
  server: { proxy: { "/v1": proxy, "^/tunesmith\\.": proxy } },
  test: { environment: "happy-dom", include: ["test/**/*.test.{ts,tsx}"] },
});
