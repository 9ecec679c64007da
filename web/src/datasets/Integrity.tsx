import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Dataset, IntegrityStatus } from "@tunesmith/sdk";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/ErrorNotice.js";
import { Time } from "../ui/Time.js";
import { useTunesmith } from "../ui/tunesmith.js";

/** The gateway's own limit: every byte is read again. */
const TIMEOUT_MS = 60_000;

/** Whether the rows on disk are those that were stored, in a word. */
export function IntegrityBadge({ dataset }: { dataset: Dataset }) {
  switch (dataset.integrity?.status) {
    case IntegrityStatus.VERIFIED:
      return <span className="badge badge-good">Verified</span>;
    case IntegrityStatus.FAILED:
      return <span className="badge badge-bad">Damaged</span>;
    default:
      return <span className="badge">Not verified</span>;
  }
}

/** The same with when it was looked at, and a way to look now. */
export function Integrity({ dataset }: { dataset: Dataset }) {
  const { registry } = useTunesmith();
  const client = useQueryClient();
  const looking = useMutation({
    mutationFn: () => registry.verifyDataset({ id: dataset.id }, { timeoutMs: TIMEOUT_MS }),
    onSuccess: (answer) => {
      client.setQueryData(["datasets", dataset.id], answer.dataset);
      void client.invalidateQueries({ queryKey: ["datasets", "list"] });
    },
  });
  const { integrity } = dataset;
  return (
    <div className="integrity">
      <div className="row">
        <span role="status">
          <IntegrityBadge dataset={dataset} />{" "}
          {integrity?.checkTime && (
            <span className="soft sub">
              <Time time={integrity.checkTime} />
            </span>
          )}
        </span>
        <Button look="plain" aria-disabled={looking.isPending} onClick={() => !looking.isPending && looking.mutate()}>
          {looking.isPending ? "Verifying…" : "Verify"}
        </Button>
      </div>
      {integrity?.message && <p className="integrity-message">{integrity.message}</p>}
      {looking.error && <ErrorNotice error={looking.error} />}
    </div>
  );
}
