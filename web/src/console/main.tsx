import "../ui/tokens.css";
import "../ui/ui.css";
import "./console.css";
import { createTunesmith } from "@tunesmith/sdk";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { TunesmithProvider } from "../ui/tunesmith.js";
import { Console } from "./Console.js";
import { createQueryClient } from "./queries.js";
import { applyTheme, storedTheme } from "./theme.js";

applyTheme(storedTheme());
if (location.pathname === "/") {
  // Before anything is drawn, so that it is where the visit begins and not a step that takes the focus along.
  history.replaceState(null, "", "/jobs");
}
createRoot(document.getElementById("console")!).render(
  <StrictMode>
    <TunesmithProvider value={createTunesmith({ baseUrl: location.origin })}>
      <QueryClientProvider client={createQueryClient()}>
        <Console />
      </QueryClientProvider>
    </TunesmithProvider>
  </StrictMode>,
);
