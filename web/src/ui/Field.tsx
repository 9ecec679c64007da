import { type ReactNode, useId } from "react";

interface FieldProps {
  label: string;
  help?: ReactNode;
  /** What is wrong with it, in the words of the rule or the server. */
  errors?: readonly string[];
  /** The input, given what ties it to its label, help and errors. */
  children: (tied: { id: string; "aria-describedby": string | undefined; "aria-invalid": true | undefined }) => ReactNode;
}

/** An input with its label above it, and its help and its errors below. */
export function Field({ label, help, errors = [], children }: FieldProps) {
  const id = useId();
  const described = [help && `${id}-help`, errors.length > 0 && `${id}-errors`].filter(Boolean).join(" ");
  return (
    <div className="labelled">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": errors.length > 0 || undefined })}
      {help && (
        <p id={`${id}-help`} className="labelled-help">
          {help}
        </p>
      )}
      <div id={`${id}-errors`} className="labelled-errors" aria-live="polite">
        {errors.map((error) => (
          <p key={error}>{error}</p>
        ))}
      </div>
    </div>
  );
}
