/** What is charged when `done` of `total` evaluations ran: the price's share, rounded up once. */
export function partialCredits(priceCredits: number, done: number, total: number): number {
  return Math.min(priceCredits, Math.ceil((priceCredits * done) / total));
}
