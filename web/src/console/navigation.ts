import { type RefObject, useEffect, useRef } from "react";
import { useLocation } from "wouter";

/** How long a page that is still loading is waited for. */
const PATIENCE_MS = 5_000;
/** How often to look whether a page has put another heading in the place of the one that had the focus. */
const LOOK_MS = 100;

/**
 * What a browser does when a page is loaded, for pages that are only drawn: the focus goes to the new page's heading, which
 * screen readers then say, and the window to its top; or, on the way back, to where it was.
 */
export function useNavigation(page: RefObject<HTMLElement | null>): void {
  const [location] = useLocation();
  const shown = useRef(location);
  const pushed = useRef<string | null>(null);
  const places = useRef(new Map<string, number>());
  useEffect(() => {
    history.scrollRestoration = "manual";
    const went = () => {
      pushed.current = window.location.pathname;
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const scrolled = () => {
      clearTimeout(timer);
      // Not at every frame: reading the place would lay out the page.
      const path = window.location.pathname;
      timer = setTimeout(() => path === window.location.pathname && places.current.set(path, window.scrollY), 100);
    };
    // The router says when it goes somewhere new. `popstate` says the other way, but may come after the page was drawn.
    window.addEventListener("pushState", went, { capture: true });
    window.addEventListener("replaceState", went, { capture: true });
    window.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      clearTimeout(timer);
      window.removeEventListener("pushState", went, { capture: true });
      window.removeEventListener("replaceState", went, { capture: true });
      window.removeEventListener("scroll", scrolled);
    };
  }, []);
  useEffect(() => {
    const wentBack = pushed.current !== location;
    if (shown.current === location || !page.current) {
      return undefined;
    }
    shown.current = location;
    pushed.current = null;
    const top = wentBack ? (places.current.get(location) ?? 0) : 0;
    const main = page.current;
    const began = Date.now();
    let frame = 0;
    let looking: ReturnType<typeof setInterval> | undefined;
    const stop = () => {
      cancelAnimationFrame(frame);
      clearInterval(looking);
    };
    const focus = () => {
      const heading = main.querySelector<HTMLElement>("h1");
      const focused = document.activeElement;
      // Somebody who is already in the page, or in a dialog it opened, stays there.
      if (heading && (!main.contains(focused) || focused === main) && !document.querySelector("dialog[open]")) {
        heading.tabIndex = -1;
        heading.focus({ preventScroll: true });
      }
    };
    const arrive = () => {
      const tall = top === 0 || document.documentElement.scrollHeight - window.innerHeight >= top;
      if (!(main.querySelector("h1") && tall) && Date.now() - began < PATIENCE_MS) {
        frame = requestAnimationFrame(arrive);
        return;
      }
      window.scrollTo({ top, behavior: "instant" });
      focus();
      // A page that first says that it loads may have another heading afterwards, and the focus would be nowhere.
      looking = setInterval(() => {
        if (Date.now() - began > PATIENCE_MS) {
          stop();
        } else if (document.activeElement === document.body) {
          focus();
        }
      }, LOOK_MS);
    };
    frame = requestAnimationFrame(arrive);
    // Whoever does something is where they want to be.
    const acted = ["keydown", "pointerdown", "wheel"] as const;
    acted.forEach((type) => window.addEventListener(type, stop, { passive: true }));
    return () => {
      stop();
      acted.forEach((type) => window.removeEventListener(type, stop));
    };
  }, [location, page]);
}
