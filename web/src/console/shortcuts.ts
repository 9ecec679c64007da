import { useEffect, useRef } from "react";
import { useLocation } from "wouter";
import { isTyping } from "../ui/typing.js";

/** The keys of the console, as the dialog lists them. */
export const SHORTCUTS: readonly { keys: string[]; does: string }[] = [
  { keys: ["/"], does: "Search" },
  { keys: ["g", "j"], does: "Go to jobs" },
  { keys: ["g", "m"], does: "Go to models" },
  { keys: ["g", "d"], does: "Go to datasets" },
  { keys: ["g", "r"], does: "Go to recipes" },
  { keys: ["g", "a"], does: "Go to adapters" },
  { keys: ["g", "p"], does: "Go to parameters" },
  { keys: ["n"], does: "New job" },
  { keys: ["j"], does: "Next row of a list; ↓ too" },
  { keys: ["k"], does: "Row before; ↑ too" },
  { keys: ["Home"], does: "First row" },
  { keys: ["End"], does: "Last row" },
  { keys: ["Enter"], does: "Open the row" },
  { keys: ["?"], does: "Show these keys" },
];

const PLACES: Partial<Record<string, string>> = { j: "/jobs", m: "/models", d: "/datasets", r: "/recipes", a: "/adapters", p: "/parameters" };
/** How long `g` waits for the key that says where to. */
const WAIT_MS = 1_500;

/** Listens for the console's keys, never while somebody types. */
export function useShortcuts(onHelp: () => void): void {
  const [, navigate] = useLocation();
  const going = useRef(0);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const wasGoing = Date.now() - going.current < WAIT_MS;
      going.current = 0;
      if (event.defaultPrevented || isTyping(event)) {
        return;
      }
      const place = wasGoing ? PLACES[event.key] : undefined;
      const search = document.querySelector<HTMLElement>("[data-search]");
      if (place) {
        // The list's own j would move as well.
        event.stopImmediatePropagation();
        navigate(place);
      } else if (event.key === "g") {
        going.current = Date.now();
      } else if (event.key === "/" && search) {
        search.focus();
      } else if (event.key === "n") {
        navigate("/jobs/new");
      } else if (event.key === "?") {
        onHelp();
      } else {
        return;
      }
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed, { capture: true });
    return () => window.removeEventListener("keydown", pressed, { capture: true });
  }, [navigate, onHelp]);
}
