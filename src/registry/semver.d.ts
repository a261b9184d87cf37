/* The parts of the package semver that are used here. */

declare module 'semver/classes/semver.js' {
  /** A version with three numbers, and what comes behind them. */
  class SemVer {
    /** Throws a TypeError for a text that is no version. */
    constructor(text: string, options?: { readonly loose?: boolean });
    /** In its normal form. */
    readonly version: string;
    compare(other: SemVer): -1 | 0 | 1;
  }
  export = SemVer;
}

declare module 'semver/classes/range.js' {
  import type SemVer from 'semver/classes/semver.js';

  /** A range of versions, such as `>=1.2 <2`. */
  class Range {
    /** Throws a TypeError for a text that is no range. */
    constructor(text: string);
    test(version: SemVer): boolean;
  }
  export = Range;
}
