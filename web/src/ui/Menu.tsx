import { type FocusEvent, type KeyboardEvent, type ReactNode, type ToggleEvent, useEffect, useRef, useState } from "react";

interface MenuProps {
  /** What the button shows. */
  label: ReactNode;
  /** What it is called where it shows no words. */
  name?: string;
  look?: "normal" | "plain";
  /** -1 where the Tab key should pass by. */
  tabIndex?: number;
  /** Told whenever it opens or closes. */
  onToggle?: (open: boolean) => void;
  /** What can be done, as buttons; `close` puts the focus back on the menu's own button. */
  children: (close: () => void) => ReactNode;
}

/** A button that opens a few others: a details element that closes when the focus leaves it, or by Escape. */
export function Menu({ label, name, look = "normal", tabIndex, onToggle, children }: MenuProps) {
  const details = useRef<HTMLDetailsElement>(null);
  const button = useRef<HTMLElement>(null);
  const [open, setOpen] = useState(false);
  // It opens towards the middle of the window, so that it never leaves it.
  const [side, setSide] = useState<"start" | "end">("end");
  const shut = () => {
    if (details.current) {
      details.current.open = false;
    }
  };
  const close = () => {
    shut();
    button.current?.focus();
  };
  const toggled = (event: ToggleEvent<HTMLDetailsElement>) => {
    const isOpen = event.currentTarget.open;
    if (isOpen && button.current) {
      const { left, right } = button.current.getBoundingClientRect();
      setSide((left + right) / 2 < window.innerWidth / 2 ? "start" : "end");
    }
    setOpen(isOpen);
    onToggle?.(isOpen);
  };
  useEffect(() => {
    const outside = (event: PointerEvent) => {
      if (details.current && !event.composedPath().includes(details.current)) {
        details.current.open = false;
      }
    };
    if (open) {
      document.addEventListener("pointerdown", outside);
    }
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);
  const left = (event: FocusEvent) => {
    // Some browsers focus nothing when a button is pressed; that is no leaving.
    if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) {
      shut();
    }
  };
  const pressed = (event: KeyboardEvent) => {
    const inside = [...(details.current?.querySelectorAll<HTMLElement>("summary, .menu-panel button:not(:disabled)") ?? [])];
    // A shadow root has a focus of its own, which the document does not see.
    const at = inside.indexOf((details.current?.getRootNode() as Document | ShadowRoot).activeElement as HTMLElement);
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Escape" && open) {
      event.stopPropagation();
      event.preventDefault();
      close();
    } else if (open && step !== 0 && at >= 0) {
      event.preventDefault();
      event.stopPropagation();
      inside[(at + step + inside.length) % inside.length]?.focus();
    }
  };
  return (
    <details ref={details} className="menu" onToggle={toggled} onBlur={left} onKeyDown={pressed}>
      <summary
        ref={button}
        className={`button ${look === "plain" ? "button-plain" : ""}`}
        aria-label={name}
        aria-expanded={open}
        tabIndex={tabIndex}
      >
        {label}
      </summary>
      {open && (
        <div className="menu-panel" data-side={side}>
          {children(close)}
        </div>
      )}
    </details>
  );
}
