import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@tunesmith/sdk/gen/google/rpc/error_details";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { DatasetFormat, Modality, type Recipe, type RecipeContent, RecipeSchema, RecipeService, RecipeType } from "@tunesmith/sdk";
import { expect, test } from "vitest";
import RecipesPage from "../../src/recipes/RecipesPage.js";
import { opened } from "../console/opened.js";

const LORA = create(RecipeSchema, {
  id: "r1",
  displayName: "LoRA for chat",
  description: "Small and quick.",
  type: RecipeType.LORA,
  modality: Modality.TEXT,
  defaults: { method: { type: 2, loraConfig: { rank: 16 } } },
  requiredFields: ["datasets.training_file_id"],
  supportedFamilies: ["llama", "qwen3"],
  datasetFormats: [DatasetFormat.MESSAGES],
  minHiddenSize: 64,
  recommended: true,
  active: true,
});

function shown(recipes: Recipe[] = [LORA, create(RecipeSchema, { id: "r2", displayName: "Old", type: RecipeType.FULL })], refusal?: ConnectError) {
  const saved: { id?: string; recipe: RecipeContent | undefined }[] = [];
  const refusing = { now: refusal };
  const save = (id: string | undefined, recipe: RecipeContent | undefined) => {
    saved.push({ id, recipe });
    if (refusing.now) {
      throw refusing.now;
    }
  };
  opened("/recipes", <RecipesPage />, ({ service }) =>
    service(RecipeService, {
      listRecipes: () => ({ recipes }),
      createRecipe: ({ recipe }) => {
        save(undefined, recipe);
        const made = create(RecipeSchema, { id: "r3", displayName: recipe?.displayName });
        recipes.push(made);
        return { recipe: made };
      },
      updateRecipe: ({ id, recipe }) => {
        save(id, recipe);
        return { recipe: recipes[0] };
      },
      deleteRecipe: ({ id }) => {
        recipes.splice(recipes.findIndex((one) => one.id === id), 1);
        return {};
      },
    }),
  );
  return { saved, recipes, refusing, person: userEvent.setup() };
}

test("each recipe says what it trains, what it needs and what it sets", async () => {
  const { person } = shown();
  const card = (await screen.findByRole("heading", { name: "LoRA for chat" })).closest("li.recipe") as HTMLElement;
  const said = card.textContent!;
  for (const words of ["LoRA", "Recommended", "Small and quick.", "llama, qwen3", "Messages", "hidden size from 64", '"rank": 16']) {
    expect(said).toContain(words);
  }
  expect(screen.getByRole("heading", { name: "Old" }).closest("li.recipe")!.textContent).toContain("Not offered");
  await person.selectOptions(screen.getByLabelText("Type"), "QLoRA");
  expect(screen.getByText("No recipe is of this type.")).toBeTruthy();
  await person.click(screen.getByRole("button", { name: "Show all types" }));
  expect(screen.getByRole("heading", { name: "Old" })).toBeTruthy();
});

test("a recipe is added; what its JSON gets wrong is said by name before it is sent", async () => {
  const { saved, person } = shown([]);
  await person.click((await screen.findAllByRole("button", { name: "Add a recipe" }))[0]!);
  const dialog = await screen.findByRole("dialog", { name: "Add a recipe" });
  await person.type(within(dialog).getByLabelText("Display name"), "mine");
  const defaults = within(dialog).getByLabelText("Defaults");
  const write = async (json: string) => {
    await person.clear(defaults);
    await person.click(defaults);
    await person.paste(json);
    await person.click(within(dialog).getByRole("button", { name: "Save" }));
  };
  await write('{"schedule": {"epoch": 2}}');
  expect(await within(dialog).findByText("schedule.epoch is unknown; did you mean schedule.epochs?")).toBeTruthy();
  await waitFor(() => expect(document.activeElement).toBe(defaults));
  expect(saved).toHaveLength(0);
  await person.click(within(dialog).getByLabelText("Messages"));
  await person.type(within(dialog).getByLabelText("Families"), "llama{Enter}qwen3");
  await person.type(within(dialog).getByLabelText("Least hidden size"), "64");
  await write('{"schedule": {"epochs": 2}}');
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(saved).toMatchObject([
    {
      recipe: {
        displayName: "mine",
        type: RecipeType.LORA,
        modality: Modality.TEXT,
        defaults: { schedule: { epochs: 2 } },
        datasetFormats: [DatasetFormat.MESSAGES],
        supportedFamilies: ["llama", "qwen3"],
        minHiddenSize: 64,
        active: true,
      },
    },
  ]);
  expect(await screen.findByRole("heading", { name: "mine" })).toBeTruthy();
});

test("a recipe is changed whole, and what the server says stands at its field", async () => {
  const violation = { field: "recipe.defaults.method.lora_config.rank", description: "must be at most 256" };
  const refusal = new ConnectError("invalid", Code.InvalidArgument, undefined, [
    { desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations: [violation] }) },
  ]);
  const { saved, refusing, person } = shown(undefined, refusal);
  await person.click(await screen.findByRole("button", { name: "Change LoRA for chat" }));
  const dialog = await screen.findByRole("dialog", { name: "Change LoRA for chat" });
  await person.click(within(dialog).getByLabelText("Offered"));
  await person.click(within(dialog).getByRole("button", { name: "Save" }));
  expect(await within(dialog).findByText("method.lora_config.rank: must be at most 256")).toBeTruthy();
  expect(within(dialog).getByLabelText("Defaults").getAttribute("aria-invalid")).toBe("true");
  refusing.now = undefined;
  await person.click(within(dialog).getByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const { recipe } = saved[1]!;
  expect(recipe).toMatchObject({
    displayName: LORA.displayName,
    description: LORA.description,
    defaults: { method: { loraConfig: { rank: 16 } } },
    requiredFields: LORA.requiredFields,
    supportedFamilies: LORA.supportedFamilies,
    datasetFormats: LORA.datasetFormats,
    minHiddenSize: 64,
    recommended: true,
    active: false,
  });
});

test("a recipe is deleted, and only after it was asked", async () => {
  const { recipes, person } = shown();
  await person.click(await screen.findByRole("button", { name: "Delete Old" }));
  await person.click(await screen.findByRole("button", { name: "Keep it" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(recipes).toHaveLength(2);
  await person.click(screen.getByRole("button", { name: "Delete Old" }));
  await person.click(await screen.findByRole("button", { name: "Delete the recipe" }));
  await waitFor(() => expect(screen.queryByRole("heading", { name: "Old" })).toBeNull());
  expect(recipes).toHaveLength(1);
});
