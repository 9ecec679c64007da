import { useEffect, useState } from "react";

/** Takes files that are dropped anywhere on the page; answers whether some are held above it. */
export function useDrop(onFiles: (files: File[]) => void): boolean {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    // Each element that is crossed says enter and leave; only the difference counts.
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const entered = (event: DragEvent) => {
      if (hasFiles(event)) {
        depth += 1;
        setHeld(true);
      }
    };
    const left = (event: DragEvent) => {
      if (hasFiles(event)) {
        depth = Math.max(0, depth - 1);
        setHeld(depth > 0);
      }
    };
    const over = (event: DragEvent) => {
      if (hasFiles(event)) {
        event.preventDefault();
      }
    };
    const dropped = (event: DragEvent) => {
      if (hasFiles(event)) {
        // Or the browser would leave the page and show the file.
        event.preventDefault();
        depth = 0;
        setHeld(false);
        onFiles([...(event.dataTransfer?.files ?? [])]);
      }
    };
    const listening: [string, (event: DragEvent) => void][] = [
      ["dragenter", entered],
      ["dragleave", left],
      ["dragover", over],
      ["drop", dropped],
    ];
    for (const [type, listener] of listening) {
      window.addEventListener(type, listener as EventListener);
    }
    return () => {
      for (const [type, listener] of listening) {
        window.removeEventListener(type, listener as EventListener);
      }
    };
  }, [onFiles]);
  return held;
}
