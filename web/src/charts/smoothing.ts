import type { StepSeries } from "./StepSeries.js";

/**
 * An exponential moving average of a series that is continued where the series grew.
 *
 * Without correction the first values would weigh too much: each is divided by the weight that was given out so far. A value that
 * is no number stays one and is passed over.
 */
export class Smoothing {
  #values = new Float64Array(0);
  #done = 0;
  #revision = -1;
  #weight = -1;
  #average = 0;
  #given = 0;

  /** The smoothed values of the series, one a point. */
  of(series: StepSeries, weight: number): Float64Array {
    if (series.revision !== this.#revision || weight !== this.#weight || series.length < this.#done) {
      this.#revision = series.revision;
      this.#weight = weight;
      this.#done = 0;
      this.#average = 0;
      this.#given = 0;
    }
    if (this.#values.length < series.length) {
      const grown = new Float64Array(series.values.length);
      grown.set(this.#values.subarray(0, this.#done));
      this.#values = grown;
    }
    for (; this.#done < series.length; this.#done += 1) {
      const value = series.values[this.#done]!;
      if (Number.isFinite(value)) {
        this.#average = weight * this.#average + (1 - weight) * value;
        this.#given = weight * this.#given + (1 - weight);
        this.#values[this.#done] = this.#average / this.#given;
      } else {
        this.#values[this.#done] = Number.NaN;
      }
    }
    return this.#values;
  }
}
