import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import { Button } from "../../ui/Button.js";
import { ErrorNotice } from "../../ui/ErrorNotice.js";
import { useTunesmith } from "../../ui/tunesmith.js";

/** Puts the adapter that a job trained on the list of adapters, to be composed and used by name. */
export function RegisterAdapter({ artifactId }: { artifactId: string }) {
  const { adapters } = useTunesmith();
  const client = useQueryClient();
  const registering = useMutation({
    mutationFn: async () => (await adapters.createAdapter({ artifactId })).adapter,
    onSuccess: () => client.invalidateQueries({ queryKey: ["adapters"] }),
  });
  if (registering.data) {
    return (
      <Link className="button" href={`/adapters?id=${encodeURIComponent(registering.data.id)}`}>
        Open {registering.data.displayName}
      </Link>
    );
  }
  return (
    <>
      <Button aria-disabled={registering.isPending} onClick={() => !registering.isPending && registering.mutate()}>
        {registering.isPending ? "Registering…" : "Register adapter"}
      </Button>
      {registering.error && <ErrorNotice error={registering.error} />}
    </>
  );
}
