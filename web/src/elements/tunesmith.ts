// The web components, by one script tag: <script type="module" src="https://gateway/tunesmith.js"></script>.
import { defineElement } from "./element.js";

defineElement("tunesmith-configure", {
  attributes: ["provider", "dataset", "base-model", "configuration", "mode"],
  properties: ["configuration"],
  load: () => import("./configure.js"),
});
defineElement("tunesmith-monitor", { attributes: ["job"], flags: ["compact"], load: () => import("./monitor.js") });
