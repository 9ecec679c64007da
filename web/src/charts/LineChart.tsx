import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { Button } from "../ui/Button.js";
import { count } from "../ui/words.js";
import type { YScale } from "./axes.js";
import { type Palette, readPalette, type Tone } from "./colours.js";
import type { Span } from "./downsampling.js";
import { canPaint, loadUPlot, Plot } from "./plot.js";
import { PointsTable } from "./PointsTable.js";
import type { StepSeries } from "./StepSeries.js";

/** One line of a chart. */
export interface ChartSeries {
  key: string;
  label: string;
  /** Appended to in place; `version` tells when. */
  points: StepSeries;
  tone: Tone;
  /** Whether the slider smooths it. */
  smoothable?: boolean;
}

interface LineChartProps {
  title: string;
  series: ChartSeries[];
  /** Another number whenever a point has come. */
  version: number;
  xLabel: string;
  /** The axis to begin with. */
  yScale?: YScale;
  /** Whether a person may choose between a linear axis and a logarithmic one. */
  scaleChoice?: boolean;
  /** The axis begins at zero: for amounts, where half the height should mean half as much. */
  fromZero?: boolean;
  height?: number;
  format: (value: number) => string;
  /** All of the x axis. */
  domain: Span;
  /** The part of it that was zoomed to. */
  zoom?: Span | undefined;
  onZoom?: (span: Span | undefined) => void;
  /** Charts of the same key share their cursor. */
  syncKey?: string;
}

const SMOOTHING = 0.6;
const SMOOTHING_NAME = "Smoothing";

/** Lines over the steps of a job, on a canvas, with a legend, a zoom and a table. */
export function LineChart(props: LineChartProps) {
  const { title, series, version, xLabel, yScale = "linear", scaleChoice, fromZero = false, height = 220, format } = props;
  const { domain, zoom, onZoom, syncKey } = props;
  const [scale, setScale] = useState(yScale);
  const [smoothing, setSmoothing] = useState(SMOOTHING);
  const [cursor, setCursor] = useState<number>();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const { probe, reader, palette } = usePalette();
  const smoothable = series.some((each) => each.smoothable && each.points.length > 2);
  const smooth = smoothable && smoothing > 0;
  const latest = useRef({ format, onZoom, zoom, domain, smoothing });
  latest.current = { format, onZoom, zoom, domain, smoothing };
  const span = zoom ?? domain;

  // What a plot is made of; it is made anew when this changes, and only drawn anew when points come.
  const made = JSON.stringify([series.map(({ key, tone }) => [key, tone]), scale, smooth, fromZero, height, syncKey]);
  const points = useRef(series);
  points.current = series;
  useEffect(() => {
    const element = place.current;
    if (!element || !palette || !canPaint()) {
      return undefined;
    }
    let ended = false;
    const resize = new ResizeObserver(() => {
      if (plot.current && element.clientWidth > 0) {
        plot.current.resize(element.clientWidth);
        plot.current.draw(latest.current.zoom ?? latest.current.domain, latest.current.smoothing);
      }
    });
    void loadUPlot().then((UPlot) => {
      if (ended) {
        return;
      }
      plot.current = new Plot(UPlot, element, element.clientWidth, {
        lines: points.current.map(({ key, points: own, tone, smoothable: can }) => ({
          key,
          points: own,
          tone,
          smoothed: smooth && can === true,
        })),
        scale,
        fromZero,
        height,
        palette,
        syncKey,
        format: (value) => latest.current.format(value),
        formatStep: count,
        onCursor: setCursor,
        onZoom: (chosen) => latest.current.onZoom?.(chosen),
      });
      plot.current.draw(latest.current.zoom ?? latest.current.domain, latest.current.smoothing);
      resize.observe(element);
    });
    return () => {
      ended = true;
      resize.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [made, palette]);

  useLayoutEffect(() => {
    plot.current?.draw({ from: span.from, to: span.to }, smoothing);
  }, [version, span.from, span.to, smoothing]);

  const id = useId();
  return (
    <figure className="chart" aria-labelledby={id} data-chart={series[0]?.key}>
      <div className="chart-head">
        <h3 id={id}>{title}</h3>
        <div className="chart-tools">
          {smoothable && (
            <label>
              {SMOOTHING_NAME}
              <input
                type="range"
                min={0}
                max={0.98}
                step={0.02}
                value={smoothing}
                aria-label={`${SMOOTHING_NAME} of ${title}`}
                onChange={(event) => setSmoothing(Number(event.target.value))}
              />
            </label>
          )}
          {scaleChoice && (
            <label>
              <input
                type="checkbox"
                checked={scale === "log"}
                onChange={(event) => setScale(event.target.checked ? "log" : "linear")}
              />
              Log scale
            </label>
          )}
          {zoom && onZoom && (
            <Button look="plain" onClick={() => onZoom(undefined)}>
              Show all steps
            </Button>
          )}
        </div>
      </div>
      <Legend series={series} cursor={cursor} format={format} xLabel={xLabel} />
      <div ref={place} className="chart-plot" role="img" aria-label={inWords(title, series, format)} style={{ height }}>
        <span ref={probe} className="chart-probe" aria-hidden="true" />
        <span ref={reader} className="chart-reader" aria-hidden="true" />
      </div>
      <PointsTable title={title} xLabel={xLabel} series={series} format={format} />
    </figure>
  );
}

/** The lines' names, with their values where the cursor is, or their last ones. */
function Legend({
  series,
  cursor,
  format,
  xLabel,
}: {
  series: ChartSeries[];
  cursor: number | undefined;
  format: (value: number) => string;
  xLabel: string;
}) {
  const { points } = series[0]!;
  const at = cursor === undefined ? undefined : points.steps[points.indexNear(cursor)];
  return (
    <ul className="chart-legend">
      {series.map(({ key, label, points: own, tone }) => {
        const index = cursor === undefined ? own.length - 1 : own.indexNear(cursor);
        const value = index < 0 ? undefined : own.values[index];
        return (
          <li key={key}>
            <span className="chart-mark" style={{ color: `var(${tone})` }} />
            <span className="soft">{label}</span>
            <strong>{value === undefined ? "none yet" : format(value)}</strong>
          </li>
        );
      })}
      <li className="soft">{at === undefined ? "" : `${xLabel} ${count(at)}`}</li>
    </ul>
  );
}

function inWords(title: string, series: ChartSeries[], format: (value: number) => string): string {
  const lines = series.map(({ label, points }) => {
    const { lastValue, lastStep, extremes } = points;
    if (lastValue === undefined || lastStep === undefined) {
      return `${label}: no point yet`;
    }
    const between = extremes ? `, lowest ${format(extremes.lowest)}, highest ${format(extremes.highest)}` : "";
    return `${label}: last ${format(lastValue)} at step ${count(lastStep)}${between}`;
  });
  return `${title}. ${lines.join(". ")}.`;
}

/** The theme's colours, read anew when they have changed: by the system, by the console, or by a page around the component. */
function usePalette() {
  const probe = useRef<HTMLSpanElement>(null);
  const reader = useRef<HTMLSpanElement>(null);
  const [palette, setPalette] = useState<Palette>();
  useLayoutEffect(() => {
    const read = () => reader.current && setPalette(readPalette(reader.current));
    read();
    const element = probe.current;
    // Whatever changed the theme, the probe's colour changes with it, and says when it has.
    element?.addEventListener("transitionend", read);
    return () => element?.removeEventListener("transitionend", read);
  }, []);
  return { probe, reader, palette };
}
