import type { Locator, Page } from "playwright-core";

/** The form of a new job, by the names that stand in the protos: on a page of the console, or in an element on any page. */
export class JobForm {
  constructor(private readonly scope: Page | Locator) {}

  /** Unfold a section. */
  async open(section: string): Promise<void> {
    const details = this.scope.getByRole("region", { name: section, exact: true }).locator("details").first();
    if ((await details.getAttribute("open")) === null) {
      await details.locator("summary").first().click();
    }
  }

  /** The box in which a number or a text is typed; sliders have one beside them. */
  box(label: string): Locator {
    return this.scope.getByRole("textbox", { name: label, exact: true });
  }

  menu(label: string): Locator {
    return this.scope.getByLabel(new RegExp(`^${label}`)).and(this.scope.locator("select"));
  }

  /** Pick what a search finds first. */
  async pick(label: string, search: string): Promise<void> {
    const picker = this.scope.getByRole("combobox", { name: new RegExp(`^${label}`) });
    await picker.click();
    await picker.fill(search);
    await this.scope.getByRole("listbox", { name: label }).getByRole("option").first().click();
  }

  get create(): Locator {
    return this.scope.getByRole("button", { name: "Create job" });
  }

  /** Press it while it is disabled: it then leads to what is to be put right. */
  async pressInVain(): Promise<void> {
    await this.create.click({ force: true });
  }

  /** How the form stands, with its estimates below. */
  get preflight(): Locator {
    return this.scope.getByRole("region", { name: "Preflight" });
  }

  /** The report is about what stands in the form, and nothing speaks against it. */
  async ready(): Promise<void> {
    await this.preflight.getByRole("heading", { name: "Ready" }).waitFor();
    await this.preflight.getByText(/^(Checking|Tracing)…$/).waitFor({ state: "detached" });
  }
}
