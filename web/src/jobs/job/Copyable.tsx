import { useEffect, useState } from "react";

const SAID_FOR_MS = 2_000;

interface CopyableProps {
  /** What is copied. */
  text: string;
  /** What is shown of it; all of it unless said. */
  short?: string;
  /** What it is: `id of the job`. */
  name: string;
}

/** A text that a click copies. Where a browser refuses, all of it is shown, to be copied by hand. */
export function Copyable({ text, short = text, name }: CopyableProps) {
  const [said, setSaid] = useState("");
  const [refused, setRefused] = useState(false);
  useEffect(() => {
    const timer = said ? setTimeout(() => setSaid(""), SAID_FOR_MS) : undefined;
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setRefused(true);
    }
  };
  if (refused) {
    return <code className="copyable-all">{text}</code>;
  }
  return (
    <button type="button" className="copyable" onClick={() => void copy()} title={`Copy the ${name}: ${text}`}>
      <code>{short}</code>
      <svg className="copyable-sign" viewBox="0 0 16 16" aria-hidden="true">
        <path d={said ? "M3 8.5l3.5 3.5L13 4.5" : "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7"} />
      </svg>
      <span className="visually-hidden">, copy the {name}</span>
      <span className="visually-hidden" role="status">
        {said}
      </span>
    </button>
  );
}
