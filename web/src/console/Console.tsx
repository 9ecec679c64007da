import { lazy, Suspense } from "react";
import { Route, Switch } from "wouter";
import { Frame } from "./Frame.js";
import { NotFoundPage } from "./NotFoundPage.js";

// A page is loaded when somebody goes there: the form's rules and the charts are heavy, and the list of jobs needs neither.
const JobsPage = lazy(() => import("../jobs/JobsPage.js"));
const JobPage = lazy(() => import("../jobs/JobPage.js"));
const NewJobPage = lazy(() => import("../jobs/NewJobPage.js"));
const ModelsPage = lazy(() => import("../models/ModelsPage.js"));
const DatasetsPage = lazy(() => import("../datasets/DatasetsPage.js"));
const DatasetPage = lazy(() => import("../datasets/DatasetPage.js"));
const RecipesPage = lazy(() => import("../recipes/RecipesPage.js"));
const AdaptersPage = lazy(() => import("../adapters/AdaptersPage.js"));
const ParametersPage = lazy(() => import("../parameters/ParametersPage.js"));

/** Every page by its address. */
export function Console() {
  return (
    <Frame>
      <Suspense fallback={<p className="soft">Loading…</p>}>
        <Switch>
          <Route path="/jobs" component={JobsPage} />
          <Route path="/jobs/new" component={NewJobPage} />
          <Route path="/jobs/:id">{({ id }) => <JobPage key={id} id={id} />}</Route>
          <Route path="/models" component={ModelsPage} />
          <Route path="/datasets" component={DatasetsPage} />
          <Route path="/datasets/:id">{({ id }) => <DatasetPage key={id} id={id} />}</Route>
          <Route path="/recipes" component={RecipesPage} />
          <Route path="/adapters" component={AdaptersPage} />
          <Route path="/parameters" component={ParametersPage} />
          <Route component={NotFoundPage} />
        </Switch>
      </Suspense>
    </Frame>
  );
}
