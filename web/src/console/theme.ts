export type Theme = "system" | "light" | "dark";

const KEY = "tunesmith.theme";

/** The theme a person chose on this machine; the system's unless they did. */
export function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    // A browser that keeps nothing still shows the console.
    return "system";
  }
}

/** Show a theme and remember it. */
export function applyTheme(theme: Theme): void {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Not remembered: nothing to do about it.
  }
}
