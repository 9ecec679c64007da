import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { Button } from "../../ui/Button.js";
import { useTunesmith } from "../../ui/tunesmith.js";

const STEPS = {
  model: {
    text: "First a base model: something to tune.",
    command: "tunesmith models import organisation/model",
    href: "/models?add",
    name: "Add a model",
  },
  dataset: {
    text: "There is a model. Next come rows to train on.",
    command: "tunesmith datasets upload rows.jsonl",
    href: "/datasets",
    name: "Upload a dataset",
  },
  job: {
    text: "A model and a dataset are there.",
    command: "tunesmith jobs create -f job.yaml",
    href: "/jobs/new",
    name: "New job",
  },
};

/** Before the first job: what comes next, by mouse and by command. */
export function NoJobs() {
  const tunesmith = useTunesmith();
  const { data } = useQuery({
    queryKey: ["jobs", "first"],
    queryFn: async ({ signal }) => {
      const one = { pageSize: 1 };
      const { registry } = tunesmith;
      const [models, datasets] = await Promise.all([registry.listBaseModels(one, { signal }), registry.listDatasets(one, { signal })]);
      return { model: models.baseModels.length > 0, dataset: datasets.datasets.length > 0 };
    },
  });
  if (!data) {
    return <div className="panel empty jobs-none" aria-busy="true" />;
  }
  const step = STEPS[!data.model ? "model" : !data.dataset ? "dataset" : "job"];
  return (
    <div className="panel empty jobs-none">
      <h2>No jobs yet</h2>
      <p className="soft">{step.text}</p>
      <Link href={step.href} className="button button-primary">
        {step.name}
      </Link>
      <p className="soft">or, on the command line:</p>
      <code className="code">{step.command}</code>
    </div>
  );
}

/** The filters leave nothing. */
export function NothingMatches({ onClear }: { onClear: () => void }) {
  return (
    <div className="panel empty jobs-none">
      <h2>No job matches</h2>
      <p className="soft">There are jobs, but none that the filters leave.</p>
      <Button onClick={onClear}>Clear the filters</Button>
    </div>
  );
}
