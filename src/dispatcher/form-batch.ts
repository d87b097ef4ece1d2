/** A request that waits for a call: some rows, which only rows of the same batch key may share a call with. */
export interface Waiting {
  readonly rows: number;
  /** Model, shapes and form: rows with equal keys can be stacked. */
  readonly key: string | symbol;
}

export interface BatchLimits {
  /** Rows that one call may carry. */
  readonly rowsMax: number;
  /** Calls that the engine runs at the same time. */
  readonly instances: number;
  /** Rows of the oldest request's key that are in calls now. */
  readonly rowsInFlight: number;
}

/**
 * Chooses the requests of the next call: the oldest one, and behind it those that can share its call, in
 * their order, as long as they fit whole.
 *
 * Pure on purpose: which jobs share a call is a property that can be tested. The rows at work are spread
 * evenly over the engine's instances, for otherwise the first call would take all rows that wait, the
 * second only what is left, and they would stay as uneven as that for the rest of the jobs' lives.
 */
export function formBatch<T extends Waiting>(waiting: Iterable<T>, limits: BatchLimits): readonly T[] {
  const [first, ...others] = waiting;
  if (!first) return [];
  const sharing = others.filter(({ key }) => key === first.key);
  const atWork = sharing.reduce((sum, { rows }) => sum + rows, first.rows) + limits.rowsInFlight;
  const rowsMax = Math.min(limits.rowsMax, Math.ceil(atWork / limits.instances));
  let rows = first.rows;
  const joining = sharing.filter((each) => {
    const fits = rows + each.rows <= rowsMax;
    if (fits) rows += each.rows;
    return fits;
  });
  return [first, ...joining];
}
