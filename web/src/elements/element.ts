import type { Tunesmith } from "@tunesmith/sdk";
import type { ComponentType } from "react";

/** What a component inside of an element is given: attributes and properties by name, and ways to tell the page. */
export interface ElementProps<Values = Record<string, unknown>> {
  values: Partial<Values>;
  /** Dispatches an event on the element that bubbles out of every shadow root. False if the page prevented its default. */
  emit(type: string, detail?: unknown): boolean;
  /** Lets the page read a property's value as it now is; nothing is rendered for it. */
  keep(property: string, value: unknown): void;
}

/** What an element shows: the default export of a module that is loaded when the first such element is on a page. */
export interface ElementView {
  // Each component knows which values its own attributes give it.
  component: ComponentType<ElementProps<any>>;
  /** The css files of its rooms, as text; tokens.css and ui.css are always there. */
  styles: readonly string[];
}

/** What sets one element apart from another. */
export interface ElementOptions {
  /** Attributes with a text; each is a property as well, `base-model` as `baseModel`. */
  attributes?: readonly string[];
  /** Attributes that are there or not; each is a boolean property as well. */
  flags?: readonly string[];
  /** Values that only a script can set. */
  properties?: readonly string[];
  load(): Promise<{ default: ElementView }>;
}

// Every element has these: where the gateway is, which theme, and a client of the page's own in the gateway's place.
const ATTRIBUTES = ["gateway", "theme"];
const PROPERTIES = ["client"];

/**
 * Defines a custom element around a React component. A name that is taken stays as it is.
 *
 * React and the component are loaded when the first element is on the page, so that this script is small wherever it stands.
 */
export function defineElement(name: string, options: ElementOptions): void {
  if (customElements.get(name)) {
    return;
  }
  const attributes = [...ATTRIBUTES, ...(options.attributes ?? [])];
  const flags = options.flags ?? [];
  const properties = [...PROPERTIES, ...(options.properties ?? [])];

  class TunesmithElement extends HTMLElement {
    static readonly observedAttributes = [...attributes, ...flags];
    readonly #values: Record<string, unknown> = {};
    readonly #shadow = this.attachShadow({ mode: "open" });
    readonly #kept = new Map<string, unknown>();
    #mounted: Mounted | undefined;
    #loading = false;

    connectedCallback(): void {
      // What a page set before the script was there lies on the object itself, in front of the accessors below.
      for (const each of [...attributes.map(propertyOf), ...flags, ...properties]) {
        if (Object.hasOwn(this, each)) {
          const early = (this as unknown as Record<string, unknown>)[each];
          delete (this as unknown as Record<string, unknown>)[each];
          (this as unknown as Record<string, unknown>)[each] = early;
        }
      }
      void this.#show();
    }

    disconnectedCallback(): void {
      // An element that is moved is put back before this runs, and goes on as it was.
      queueMicrotask(() => {
        if (!this.isConnected) {
          this.#mounted?.unmount();
          this.#mounted = undefined;
        }
      });
    }

    attributeChangedCallback(): void {
      this.#update();
    }

    setValue(property: string, value: unknown): void {
      this.#values[property] = value;
      this.#update();
    }

    getValue(property: string): unknown {
      return this.#kept.get(property) ?? this.#values[property];
    }

    async #show(): Promise<void> {
      if (this.#mounted || this.#loading) {
        return;
      }
      this.#loading = true;
      try {
        const [{ mount }, { default: view }] = await Promise.all([import("./mount.js"), options.load()]);
        if (this.isConnected) {
          this.#mounted = mount(this.#shadow, view, {
            emit: (type, detail) => this.#emit(type, detail),
            keep: (property, value) => this.#kept.set(property, value),
          });
          this.#update();
        }
      } catch (error) {
        const advice = "Check that it answers, then load this page again.";
        this.#shadow.textContent = `<${name}> could not be loaded from ${origin()}. ${advice}`;
        this.#emit("tunesmith-error", { error });
      } finally {
        this.#loading = false;
      }
    }

    #update(): void {
      this.#mounted?.update({
        gateway: this.getAttribute("gateway") ?? origin(),
        client: this.#values.client as Tunesmith | undefined,
        values: {
          ...Object.fromEntries((options.attributes ?? []).map((each) => [each, this.getAttribute(each) ?? undefined])),
          ...Object.fromEntries(flags.map((each) => [each, this.hasAttribute(each)])),
          // A property may have an attribute of its name for pages without a script; once it is set, it counts.
          ...Object.fromEntries(
            (options.properties ?? []).filter((each) => each in this.#values).map((each) => [each, this.#values[each]]),
          ),
        },
      });
    }

    #emit(type: string, detail: unknown): boolean {
      return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable: true }));
    }
  }

  for (const each of attributes) {
    accessor(TunesmithElement.prototype, propertyOf(each), {
      get: (element) => element.getAttribute(each),
      set: (element, value) => (value == null ? element.removeAttribute(each) : element.setAttribute(each, String(value))),
    });
  }
  for (const each of flags) {
    accessor(TunesmithElement.prototype, each, {
      get: (element) => element.hasAttribute(each),
      set: (element, value) => element.toggleAttribute(each, Boolean(value)),
    });
  }
  for (const each of properties) {
    accessor(TunesmithElement.prototype, each, {
      get: (element) => element.getValue(each),
      set: (element, value) => element.setValue(each, value),
    });
  }
  customElements.define(name, TunesmithElement);
}

/** What is told to a mounted component. */
export interface MountedState {
  gateway: string;
  client: Tunesmith | undefined;
  values: Record<string, unknown>;
}

/** A component inside of a shadow root. */
export interface Mounted {
  update(state: MountedState): void;
  unmount(): void;
}

/** Where this script came from: the gateway, unless the element says otherwise. */
function origin(): string {
  return new URL(import.meta.url).origin;
}

function propertyOf(attribute: string): string {
  return attribute.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function accessor<T>(
  prototype: T,
  name: string,
  { get, set }: { get: (self: T) => unknown; set: (self: T, value: unknown) => void },
): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    enumerable: true,
    get(this: T) {
      return get(this);
    },
    set(this: T, value: unknown) {
      set(this, value);
    },
  });
}
