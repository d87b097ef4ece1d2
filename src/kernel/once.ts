/** A function that does its work at the first call and answers every call with what came of it. */
export function once<T>(work: () => T): () => T {
  let done: { readonly result: T } | null = null;
  return () => (done ??= { result: work() }).result;
}
