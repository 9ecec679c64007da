const FIELDS = "input, textarea, select, [contenteditable]:not([contenteditable='false'])";

/** Whether a key press is meant for a field, or for a dialog, or for the browser; then it is no shortcut. */
export function isTyping(event: KeyboardEvent): boolean {
  // The target of what happens in a shadow root is its host; the path begins with the field itself.
  const target = event.composedPath()[0];
  const field = target instanceof Element && target.closest(FIELDS) !== null;
  const browsers = event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  return field || browsers || document.querySelector("dialog[open]") !== null;
}
