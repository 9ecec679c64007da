import { createTunesmith, type Tunesmith } from "@tunesmith/sdk";
import { Component, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { Notice } from "../ui/Notice.js";
import tokens from "../ui/tokens.css?inline";
import { TunesmithProvider } from "../ui/tunesmith.js";
import ui from "../ui/ui.css?inline";
import type { ElementProps, ElementView, Mounted, MountedState } from "./element.js";
import own from "./element.css?inline";

const sheets = new Map<string, CSSStyleSheet>();
const clients = new Map<string, Tunesmith>();

/** Puts a component into a shadow root. Style sheets are constructed: a <style> would break on pages with a strict policy. */
export function mount(shadow: ShadowRoot, view: ElementView, told: Pick<ElementProps, "emit" | "keep">): Mounted {
  shadow.adoptedStyleSheets = [tokens, ui, own, ...view.styles].map(sheetOf);
  const place = document.createElement("div");
  place.className = "element";
  shadow.replaceChildren(place);
  const root = createRoot(place);
  const View = view.component;
  return {
    update({ gateway, client, values }: MountedState) {
      root.render(
        <Surviving key={gateway}>
          <TunesmithProvider value={client ?? clientOf(gateway)}>
            <View values={values} {...told} />
          </TunesmithProvider>
        </Surviving>,
      );
    },
    unmount() {
      root.unmount();
      shadow.replaceChildren();
    },
  };
}

/** Elements of one gateway share a client. */
function clientOf(gateway: string): Tunesmith {
  const client = clients.get(gateway) ?? createTunesmith({ baseUrl: gateway });
  clients.set(gateway, client);
  return client;
}

function sheetOf(css: string): CSSStyleSheet {
  let sheet = sheets.get(css);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  return sheet;
}

/** A sentence in the place of a component that broke: an empty box on somebody's page tells nobody anything. */
class Surviving extends Component<{ children: ReactNode }, { error: unknown }> {
  state = { error: undefined as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  render() {
    if (this.state.error === undefined) {
      return this.props.children;
    }
    const { error } = this.state;
    return (
      <Notice tone="bad">
        This part of the page broke: {error instanceof Error ? error.message : String(error)} Load the page again.
      </Notice>
    );
  }
}
