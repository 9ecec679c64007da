import type { ButtonHTMLAttributes, ReactNode } from "react";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: "normal" | "primary" | "danger" | "plain";
  children: ReactNode;
}

/** A button that does not submit unless told to. */
export function Button({ look = "normal", type = "button", className = "", ...rest }: ButtonProps) {
  return <button type={type} className={`button ${look === "normal" ? "" : `button-${look}`} ${className}`} {...rest} />;
}
