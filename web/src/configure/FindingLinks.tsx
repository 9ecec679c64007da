import type { Fix } from "@tunesmith/sdk";
import { fieldsOf, groupsOf, type Part } from "../form/describe.js";
import type { Finding } from "../form/judge.js";
import { Button } from "../ui/Button.js";

/** A finding, and the part of the form where it is shown. */
export interface Placed {
  place: string;
  finding: Finding;
}

interface FindingLinksProps {
  items: readonly Placed[];
  parts: readonly Part[];
  /** Fields of which only the name is said: what is missing there is plain. */
  nameOnly?: boolean;
  /** Whether nobody tried to send the form yet, so that nothing is anybody's fault. */
  quiet?: boolean;
  onGo?(path: string): void;
  onFix?(fix: Fix): void;
}

/** Findings as the way to their fields, with what puts them right. */
export function FindingLinks({ items, parts, nameOnly, quiet, onGo, onFix }: FindingLinksProps) {
  const labels = new Map([...fieldsOf(parts), ...groupsOf(parts)].map((part) => [part.path, part.label]));
  const shown = nameOnly ? items.filter(({ place }, index) => items.findIndex((one) => one.place === place) === index) : items;
  return (
    <ul className={quiet ? "finding-links" : "finding-links finding-links-loud"}>
      {shown.map(({ place, finding }) => {
        const label = labels.get(place);
        return (
          <li key={`${finding.fieldPath} ${finding.message}`} data-severity={finding.severity}>
            {label &&
              (onGo ? (
                <button type="button" className="link" onClick={() => onGo(place)}>
                  {label}
                </button>
              ) : (
                <strong>{label}</strong>
              ))}
            {!nameOnly && <span className="finding-text">{label ? `: ${finding.message}` : finding.message}</span>}
            {finding.fix && onFix && (
              <div>
                <Button className="finding-fix" onClick={() => onFix(finding.fix!)}>
                  {finding.fix.label || "Put it right"}
                </Button>
              </div>
            )}
          </li>
        );
      })}
    </ul>
  );
}
