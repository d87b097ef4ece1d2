import type { Client, JobQuote, JobSubmitInput } from '../client/index.ts';
import { DarkroomUserErrors } from '../client/index.ts';
import type { Output } from './host.ts';
import { printJson, tellFindings } from './output.ts';

export interface QuoteDeps {
  readonly client: Pick<Client, 'quoteJob'>;
  readonly stdout: Output;
  readonly stderr: Output;
}

/**
 * Says what a job would cost and about when it would be drawn. Rejects with `DarkroomUserErrors` for input that the
 * API would refuse; with `json` the quote of that is printed too, for it has the findings.
 */
export async function runQuote(
  { input, json }: { readonly input: JobSubmitInput; readonly json: boolean },
  { client, stdout, stderr }: QuoteDeps,
): Promise<void> {
  const quote = await client.quoteJob(input);
  if (json) printJson(stdout, quote);
  tellFindings(
    stderr,
    quote.findings.filter(({ severity }) => severity === 'WARNING'),
  );
  if (quote.userErrors.length > 0) throw new DarkroomUserErrors(quote.userErrors);
  if (!json) stdout.write(`${describe(quote)}\n`);
}

function describe({ evaluationsPerPicture, credits, etaMs }: JobQuote): string {
  const price = `${count(evaluationsPerPicture, 'evaluation')} a picture, ${count(credits, 'credit')}`;
  return etaMs === null
    ? `${price}; when, nothing tells yet`
    : `${price}, in about ${(etaMs / 1_000).toFixed(1)} s`;
}

function count(number: number | null, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
