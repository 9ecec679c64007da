const FIRST_CAPACITY = 256;

/**
 * One figure over the steps of a job, as two columns in the order of their steps.
 *
 * The columns are typed arrays that grow in place: a point after the last costs nothing, whatever lies before it.
 */
export class StepSeries {
  #steps = new Float64Array(FIRST_CAPACITY);
  #values = new Float64Array(FIRST_CAPACITY);
  #length = 0;
  #revision = 0;
  #lowest = Infinity;
  #highest = -Infinity;
  #extremesAreOld = false;

  constructor(readonly key: string) {}

  get length(): number {
    return this.#length;
  }

  /** Changes whenever a point that was there is another one now; not when points are added at the end. */
  get revision(): number {
    return this.#revision;
  }

  /** The columns as they lie in memory: only the first `length` entries mean anything. */
  get steps(): Float64Array {
    return this.#steps;
  }

  get values(): Float64Array {
    return this.#values;
  }

  get firstStep(): number | undefined {
    return this.#length === 0 ? undefined : this.#steps[0];
  }

  get lastStep(): number | undefined {
    return this.#length === 0 ? undefined : this.#steps[this.#length - 1];
  }

  get firstValue(): number | undefined {
    return this.#length === 0 ? undefined : this.#values[0];
  }

  get lastValue(): number | undefined {
    return this.#length === 0 ? undefined : this.#values[this.#length - 1];
  }

  /** The least and the greatest finite value; undefined while there is none. */
  get extremes(): { lowest: number; highest: number } | undefined {
    if (this.#extremesAreOld) {
      this.#extremesAreOld = false;
      this.#lowest = Infinity;
      this.#highest = -Infinity;
      for (let index = 0; index < this.#length; index += 1) {
        this.#stretch(this.#values[index]!);
      }
    }
    return this.#lowest <= this.#highest ? { lowest: this.#lowest, highest: this.#highest } : undefined;
  }

  /** Puts a point in its place: behind the last, in between, or over an earlier one of the same step. */
  put(step: number, value: number): void {
    const end = this.#length;
    if (end === 0 || step > this.#steps[end - 1]!) {
      this.#grow();
      this.#steps[end] = step;
      this.#values[end] = value;
      this.#length += 1;
      this.#stretch(value);
      return;
    }
    const index = this.indexFrom(step);
    if (this.#steps[index] === step) {
      if (Object.is(this.#values[index], value)) {
        return;
      }
      this.#values[index] = value;
      this.#extremesAreOld = true;
    } else {
      this.#grow();
      this.#steps.copyWithin(index + 1, index, end);
      this.#values.copyWithin(index + 1, index, end);
      this.#steps[index] = step;
      this.#values[index] = value;
      this.#length += 1;
      this.#stretch(value);
    }
    this.#revision += 1;
  }

  /** The index of the first point at a step or after it; `length` if there is none. */
  indexFrom(step: number): number {
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#steps[middle]! < step) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** The index of the point next to a step; -1 if there is no point. */
  indexNear(step: number): number {
    const after = this.indexFrom(step);
    if (after === this.#length) {
      return this.#length - 1;
    }
    return after > 0 && step - this.#steps[after - 1]! < this.#steps[after]! - step ? after - 1 : after;
  }

  /** The value at exactly this step. */
  valueAt(step: number): number | undefined {
    const index = this.indexFrom(step);
    return index < this.#length && this.#steps[index] === step ? this.#values[index] : undefined;
  }

  #stretch(value: number): void {
    if (Number.isFinite(value)) {
      this.#lowest = Math.min(this.#lowest, value);
      this.#highest = Math.max(this.#highest, value);
    }
  }

  #grow(): void {
    if (this.#length < this.#steps.length) {
      return;
    }
    const [steps, values] = [this.#steps, this.#values];
    this.#steps = new Float64Array(steps.length * 2);
    this.#values = new Float64Array(values.length * 2);
    this.#steps.set(steps);
    this.#values.set(values);
  }
}
