import { type RefObject, useImperativeHandle, useRef, useState } from "react";
import { Button } from "../../ui/Button.js";
import { controlId, useFormContext } from "./context.js";
import { Section, sectionId } from "./Section.js";

/** What others may ask of a form. */
export interface FormHandle {
  /** Opens a section and brings it into view. */
  goTo(section: string): void;
  /** Puts the focus on a field, or on the group it is missing from. */
  focus(path: string): void;
}

/** All sections of a configuration. */
export function Form({ ref }: { ref?: RefObject<FormHandle | null> }) {
  const { parts, prefix, state, edit } = useFormContext();
  const [opened, setOpened] = useState<Record<string, number>>({});
  const place = useRef<HTMLDivElement>(null);
  useImperativeHandle(ref, () => {
    // In a shadow root the document finds nothing by its id.
    const find = (id: string) => place.current?.querySelector<HTMLElement>(`#${CSS.escape(id)}`);
    const open = (section: string) => setOpened((now) => ({ ...now, [section]: (now[section] ?? 0) + 1 }));
    const after = (act: () => void) => requestAnimationFrame(() => requestAnimationFrame(act));
    return {
      goTo: (section) => {
        open(section);
        after(() => {
          const found = find(sectionId(prefix, section));
          found?.focus({ preventScroll: true });
          found?.scrollIntoView({ block: "start" });
        });
      },
      focus: (path) => {
        open(path.split(".")[0]!);
        after(() => {
          const found = find(controlId(prefix, path)) ?? find(sectionId(prefix, path.split(".")[0]!));
          found?.closest<HTMLDetailsElement>("details.unused")?.setAttribute("open", "");
          found?.focus();
          found?.scrollIntoView({ block: "center" });
        });
      },
    };
  }, [prefix]);
  return (
    <div className="sections" ref={place}>
      <div role="status" className={state.notes.length > 0 ? "notice form-notes" : "visually-hidden"}>
        {state.notes.map((note) => (
          <p key={note.path}>{note.message}</p>
        ))}
        {state.notes.length > 0 && (
          <Button look="plain" onClick={() => edit({ kind: "read notes" })}>
            Understood
          </Button>
        )}
      </div>
      {parts.map((section) => (
        <Section key={section.path} section={section} opened={opened[section.path] ?? 0} />
      ))}
    </div>
  );
}
