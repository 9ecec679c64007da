/** A line as it is drawn: null is a gap. */
export interface Line {
  steps: number[];
  values: (number | null)[];
}

/** Part of the x axis, in steps. */
export interface Span {
  from: number;
  to: number;
}

interface Columns {
  steps: Float64Array;
  values: Float64Array;
  length: number;
  indexFrom(step: number): number;
}

// As many points as this for each pixel are drawn as they are.
const PLENTY = 4;

/**
 * The points of a span that a line of so many pixels can show: the least and the greatest of each pixel, so no spike is lost,
 * and a gap wherever a value can't be drawn.
 */
export function downsample(columns: Columns, span: Span, pixels: number, drawable: (value: number) => boolean): Line {
  // One more on either side: the line goes on beyond the edge.
  const first = Math.max(0, columns.indexFrom(span.from) - 1);
  const end = Math.min(columns.length, columns.indexFrom(span.to) + 2);
  const line: Line = { steps: [], values: [] };
  const put = (index: number) => {
    const value = columns.values[index]!;
    line.steps.push(columns.steps[index]!);
    line.values.push(drawable(value) ? value : null);
  };
  if (end - first <= pixels * PLENTY || span.to <= span.from) {
    for (let index = first; index < end; index += 1) {
      put(index);
    }
    return line;
  }
  const width = (span.to - span.from) / pixels;
  for (let index = first; index < end;) {
    const border = span.from + (Math.floor((columns.steps[index]! - span.from) / width) + 1) * width;
    let [lowest, highest, gap] = [-1, -1, -1];
    const begin = index;
    for (; index < end && (index === begin || columns.steps[index]! < border); index += 1) {
      const value = columns.values[index]!;
      if (!drawable(value)) {
        gap = gap < 0 ? index : gap;
      } else {
        lowest = lowest < 0 || value < columns.values[lowest]! ? index : lowest;
        highest = highest < 0 || value > columns.values[highest]! ? index : highest;
      }
    }
    const kept = [...new Set([lowest, highest, gap])].filter((each) => each >= 0).sort((a, b) => a - b);
    kept.forEach(put);
  }
  return line;
}
