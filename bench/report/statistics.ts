/** The middle of the samples, or NaN of none. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((left, right) => left - right);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}

/** The geometric mean of ratios; those that are not known are left out. */
export function geometricMean(ratios: readonly number[]): number {
  const known = ratios.filter((ratio) => Number.isFinite(ratio) && ratio > 0);
  const sum = known.reduce((total, ratio) => total + Math.log(ratio), 0);
  return known.length === 0 ? Number.NaN : Math.exp(sum / known.length);
}
