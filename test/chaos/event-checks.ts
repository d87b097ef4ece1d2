import type { Connection } from '../../src/platform/db/connect.ts';
import type { Violation } from './violation.ts';

/** What one reader was told of one job, over all its connections, in the order in which it came. */
export interface Heard {
  readonly jobId: string;
  readonly events: readonly { readonly sequence: number; readonly type: string }[];
}

const TERMINAL: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

/** What is wrong with the numbers alone: each follows the one before, or a GAP fills what is between. */
export function complaintsAbout({ events }: Heard): readonly string[] {
  const complaints: string[] = [];
  let last = 0;
  for (const { sequence, type } of events) {
    if (sequence <= last) complaints.push(`${type} ${sequence} comes after ${last}`);
    else if (sequence > last + 1 && type !== 'GAP')
      complaints.push(`${type} ${sequence} leaves a hole after ${last}`);
    last = Math.max(last, sequence);
  }
  const ends = events.filter(({ type }) => TERMINAL.has(type)).length;
  const end = events.at(-1)?.type ?? 'nothing';
  if (ends > 1 || !TERMINAL.has(end)) complaints.push(`${ends} ends were told, and ${end} last`);
  return complaints;
}

/** Holds what readers were told against what is stored: every state, and nothing that never was. */
export async function checkEvents(admin: Connection, heard: readonly Heard[]): Promise<readonly Violation[]> {
  const rows = await admin.query<{ job_id: string; sequence: number; type: string }>(
    'select job_id, sequence, type from event order by job_id, sequence',
  );
  const stored = Map.groupBy(rows, (row) => row.job_id);
  return heard.flatMap((each) => {
    const states = each.events.filter(({ type }) => !['STEP', 'PREVIEW', 'GAP'].includes(type));
    const complaints = [...complaintsAbout(each)];
    if (textOf(states) !== textOf(stored.get(each.jobId) ?? [])) {
      complaints.push(`was told {${textOf(states)}} and has {${textOf(stored.get(each.jobId) ?? [])}}`);
    }
    return complaints.map((what) => ({ invariant: 'events' as const, subject: each.jobId, what }));
  });
}

function textOf(events: readonly { readonly sequence: number; readonly type: string }[]): string {
  return events.map(({ sequence, type }) => `${sequence}:${type}`).join(' ');
}
