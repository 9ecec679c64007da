import { type ReactNode, useCallback, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import icon from "./icon.svg";
import { useNavigation } from "./navigation.js";
import { ShortcutsDialog } from "./ShortcutsDialog.js";
import { useShortcuts } from "./shortcuts.js";
import { applyTheme, storedTheme, type Theme } from "./theme.js";

const PLACES: [path: string, name: string][] = [
  ["/jobs", "Jobs"],
  ["/models", "Models"],
  ["/datasets", "Datasets"],
  ["/recipes", "Recipes"],
  ["/adapters", "Adapters"],
  ["/parameters", "Parameters"],
];
const THEMES: Theme[] = ["system", "light", "dark"];

/** What stands around every page: the way to the others, and the theme. */
export function Frame({ children }: { children: ReactNode }) {
  const [location] = useLocation();
  const page = useRef<HTMLElement>(null);
  const [help, setHelp] = useState(false);
  useShortcuts(useCallback(() => setHelp(true), []));
  useNavigation(page);
  return (
    <div className="frame">
      <a className="button skip" href="#page">
        Skip to the page
      </a>
      <header className="top">
        <div className="top-inner">
          <Link href="/jobs" className="brand">
            <img src={icon} alt="" />
            Tunesmith
          </Link>
          <nav className="nav" aria-label="Pages">
            {PLACES.map(([path, name]) => (
              <Link key={path} href={path} aria-current={location.startsWith(path) ? "page" : undefined}>
                {name}
              </Link>
            ))}
          </nav>
          <div className="top-end row">
            <button
              type="button"
              className="button button-plain keys-button"
              aria-label="Keys"
              aria-keyshortcuts="?"
              title="Keys (?)"
              onClick={() => setHelp(true)}
            >
              <kbd aria-hidden="true">?</kbd>
            </button>
            <ThemeChoice />
            <Link href="/jobs/new" className="button button-primary">
              New job
            </Link>
          </div>
        </div>
      </header>
      <main ref={page} className="page stack" id="page" tabIndex={-1}>
        {children}
      </main>
      {help && <ShortcutsDialog onClose={() => setHelp(false)} />}
    </div>
  );
}

function ThemeChoice() {
  const [theme, setTheme] = useState(storedTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const choose = () => {
    applyTheme(next);
    setTheme(next);
  };
  return (
    <button type="button" className="button button-plain" onClick={choose} title={`Theme: ${theme}. Change to ${next}.`}>
      <span aria-hidden="true">{theme === "dark" ? "☾" : theme === "light" ? "☀" : "◐"}</span>
      <span className="visually-hidden">{`Theme: ${theme}. Change to ${next}.`}</span>
    </button>
  );
}
