import type uPlot from "uplot";
import { align } from "./alignment.js";
import { logSplits, STEP_INCREMENTS, type YScale, wide, yRange } from "./axes.js";
import type { Palette, Tone } from "./colours.js";
import { downsample, type Span } from "./downsampling.js";
import { Smoothing } from "./smoothing.js";
import type { StepSeries } from "./StepSeries.js";

type UPlot = typeof uPlot;

let loading: Promise<UPlot> | undefined;

/** The drawing library, fetched with the first chart. */
export function loadUPlot(): Promise<UPlot> {
  loading ??= import("uplot").then((module) => module.default);
  return loading;
}

/** Whether this browser can paint; one that can't still has the words and the table. */
export function canPaint(): boolean {
  return typeof Path2D !== "undefined" && document.createElement("canvas").getContext("2d") !== null;
}

/** One line of a plot. */
export interface PlotLine {
  key: string;
  points: StepSeries;
  tone: Tone;
  /** Drawn faint, with its moving average over it. */
  smoothed: boolean;
}

/** What sets one plot up; another of these is another plot. */
export interface PlotOptions {
  lines: PlotLine[];
  scale: YScale;
  fromZero: boolean;
  height: number;
  palette: Palette;
  syncKey: string | undefined;
  format: (value: number) => string;
  formatStep: (step: number) => string;
  onCursor: (step: number | undefined) => void;
  onZoom: (span: Span) => void;
}

const FAINT = 0.45;
const NARROWEST = 40;

/** A chart on a canvas. What is drawn is what its pixels can show, whatever the series hold. */
export class Plot {
  readonly #plot: uPlot;
  readonly #averages: (Smoothing | undefined)[];
  #span: Span = { from: 0, to: 1 };
  #height: [number, number] = [0, 1];

  constructor(
    UPlot: UPlot,
    place: HTMLElement,
    width: number,
    private readonly options: PlotOptions,
  ) {
    this.#averages = options.lines.map((line) => (line.smoothed ? new Smoothing() : undefined));
    this.#plot = new UPlot({ ...this.#look(), width: Math.max(width, NARROWEST), height: options.height }, [[]], place);
  }

  /** Draws what the series hold now. */
  draw(domain: Span, smoothing: number): void {
    this.#span = wide(domain);
    const pixels = Math.max(1, Math.round(this.#plot.width));
    const drawable = this.options.scale === "log" ? (value: number) => value > 0 && value < Infinity : Number.isFinite;
    const lines = this.options.lines.flatMap(({ points }, which) => {
      const average = this.#averages[which];
      const sample = (values: Float64Array) =>
        downsample(
          { steps: points.steps, values, length: points.length, indexFrom: (step) => points.indexFrom(step) },
          this.#span,
          pixels,
          drawable,
        );
      return average
        ? [sample(points.values), sample(average.of(points, this.#weight(points, smoothing, pixels)))]
        : [sample(points.values)];
    });
    // Of what is drawn, with the points that lie just outside: a line that comes from there is not cut off.
    let [lowest, highest]: [number | null, number | null] = [null, null];
    for (const value of lines.flatMap(({ values }) => values)) {
      if (value !== null) {
        lowest = Math.min(lowest ?? value, value);
        highest = Math.max(highest ?? value, value);
      }
    }
    this.#height = yRange(lowest, highest, this.options.scale, this.options.fromZero);
    const { steps, lines: columns } = align(lines);
    this.#plot.batch(() => {
      this.#plot.setData([steps, ...columns] as uPlot.AlignedData, false);
      this.#plot.setScale("x", { min: this.#span.from, max: this.#span.to });
    });
  }

  /**
   * The weight of what was before, a point. A line is smooth or not by what the eye sees: where many points share a pixel, the
   * average reaches over as many more of them. In doublings, so that a series that grows is not averaged anew with each point.
   */
  #weight(points: StepSeries, smoothing: number, pixels: number): number {
    const shown = points.indexFrom(this.#span.to) - points.indexFrom(this.#span.from);
    return smoothing ** (1 / 2 ** Math.max(0, Math.floor(Math.log2(shown / pixels))));
  }

  resize(width: number): void {
    this.#plot.setSize({ width: Math.max(width, NARROWEST), height: this.options.height });
  }

  destroy(): void {
    this.#plot.destroy();
  }

  #look(): Omit<uPlot.Options, "width" | "height"> {
    const { scale, palette, lines, syncKey, format, formatStep } = this.options;
    const { colours, font } = palette;
    const axis = { stroke: colours["--text-soft"], font, grid: { stroke: colours["--line"], width: 1 }, ticks: { show: false } };
    return {
      legend: { show: false },
      // On the right, half of the last step's number.
      padding: [8, 26, 0, 0],
      series: [
        {},
        ...lines.flatMap(({ tone, smoothed, points }): uPlot.Series[] => {
          const colour = colours[tone];
          // A few points are shown as such; a line of thousands needs no dots.
          const dots = { show: () => points.length <= 30, size: 5, stroke: colour, fill: colour };
          const line: uPlot.Series = { stroke: colour, width: 1.75, points: dots };
          return smoothed
            ? [
                { stroke: colour, alpha: FAINT, width: 1.25, points: { show: false } },
                { ...line, points: { show: false } },
              ]
            : [line];
        }),
      ],
      scales: {
        x: { time: false, range: () => [this.#span.from, this.#span.to] },
        y: { distr: scale === "log" ? 3 : 1, range: () => this.#height },
      },
      axes: [
        { ...axis, size: 28, gap: 6, incrs: STEP_INCREMENTS, values: (_, splits) => splits.map((split) => formatStep(split)) },
        {
          ...axis,
          size: 64,
          gap: 8,
          values: (_, splits) => splits.map((split) => (split == null ? "" : format(split))),
          ...(scale === "log" && {
            splits: (_: uPlot, __: number, from: number, to: number) => logSplits(from, to, this.options.height / 45),
            filter: (_: uPlot, splits: number[]) => splits,
          }),
        },
      ],
      cursor: {
        y: false,
        // It stands at a step, not between two.
        move: (plot, left, top) => {
          const points = lines[0]?.points;
          const index = left < 0 || !points ? -1 : points.indexNear(plot.posToVal(left, "x"));
          return [index < 0 ? left : plot.valToPos(points!.steps[index]!, "x"), top];
        },
        points: { size: 7 },
        drag: { x: true, y: false, setScale: false, dist: 5 },
        // The others follow the cursor only; what is zoomed is told to them by whoever shows the charts.
        ...(syncKey && {
          sync: {
            key: syncKey,
            scales: ["x", null],
            setSeries: false,
            filters: { pub: (type: string) => type === "mousemove" || type === "mouseleave" },
          },
        }),
      },
      hooks: {
        setCursor: [
          (plot) => {
            const left = plot.cursor.left ?? -1;
            this.options.onCursor(left < 0 ? undefined : plot.posToVal(left, "x"));
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width > 0) {
              this.options.onZoom({ from: plot.posToVal(left, "x"), to: plot.posToVal(left + width, "x") });
              plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            }
          },
        ],
      },
    };
  }
}
