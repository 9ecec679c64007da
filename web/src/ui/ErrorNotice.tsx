import { toTunesmithError } from "@tunesmith/sdk";
import { Button } from "./Button.js";
import { Notice } from "./Notice.js";

/** What the server said went wrong, a line a field, and a way to try again. */
export function ErrorNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const known = toTunesmithError(error);
  return (
    <Notice tone="bad" action={onRetry && <Button onClick={onRetry}>Try again</Button>}>
      {known.violations.length > 0 ? (
        <ul>
          {known.violations.map((violation) => (
            <li key={`${violation.fieldPath} ${violation.message}`}>
              {violation.fieldPath && <code>{violation.fieldPath}</code>} {violation.message}
            </li>
          ))}
        </ul>
      ) : (
        known.message
      )}
    </Notice>
  );
}
