import type { Report } from "@tunesmith/sdk";
import { Fragment, type ReactNode } from "react";
import { bytes, count, duration, figure, stepTime } from "../../ui/words.js";
import { estimated, sourceWord } from "./words.js";

/** What a run takes: device, time, money, and the download before it. */
export function Figures({ report }: { report: Report }) {
  const { placement, throughput, durationSeconds, queueSeconds, cost, downloadBytes, downloadSeconds } = report;
  const off = throughput && estimated(throughput.lowStepSeconds, throughput.stepSeconds, throughput.highStepSeconds);
  const rows: [name: string, value: ReactNode, remark?: string][] = [];
  if (placement?.device) {
    const { device, deviceCount, detail } = placement;
    rows.push(["Runs on", `${deviceCount} × ${device.name || "a device"}`, detail]);
  }
  if (throughput) {
    const { stepSeconds, tokensPerSecond, samplesPerSecond, totalSteps, speedSource } = throughput;
    rows.push(["A step", stepTime(stepSeconds), `${off}; ${sourceWord(speedSource)}`]);
    const samples = `${figure(samplesPerSecond)} rows/s`;
    rows.push(["Speed", `${count(Math.round(tokensPerSecond))} tokens/s`, `${samples}, ${count(totalSteps)} steps; estimated`]);
  }
  if (durationSeconds !== undefined) {
    rows.push(["Trains for", duration(durationSeconds), off ?? "estimated"]);
  }
  if (queueSeconds !== undefined) {
    rows.push(["Waits for", queueSeconds < 1 ? "nothing, a pool is free" : duration(queueSeconds), queueSeconds < 1 ? "" : "estimated"]);
  }
  if (cost) {
    rows.push(["Costs", money(cost.amount, cost.currency), [off ?? "estimated", cost.detail].filter(Boolean).join("; ")]);
  }
  if (downloadBytes > 0n) {
    const first = downloadSeconds === undefined ? "" : `, about ${duration(downloadSeconds)}`;
    rows.push(["Downloads first", `${bytes(downloadBytes)}${first}`, "estimated; Download on the models page fetches it before"]);
  }
  return (
    <dl className="needs-figures">
      {rows.map(([name, value, remark]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>
            {value}
            {remark && <span className="needs-remark">{remark}</span>}
          </dd>
        </Fragment>
      ))}
    </dl>
  );
}

/** `$1.79`; a currency that nobody knows stands behind its amount. */
export function money(amount: number, currency: string): string {
  try {
    return new Intl.NumberFormat("en-US", { style: "currency", currency }).format(amount);
  } catch {
    return `${figure(amount)} ${currency}`;
  }
}
