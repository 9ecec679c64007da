/**
 * What stands in the place of the RE2 engine in a page: the browser's own, which is not loaded. RE2 is there so that a pattern of a
 * stranger can't keep a server busy; a page only judges its own reader's input, by patterns of our protos, which both engines read
 * alike (test/patterns.test.ts).
 */
export class RE2JS {
  static compile(pattern: string): RegExp {
    return new RegExp(pattern, "u");
  }
}
