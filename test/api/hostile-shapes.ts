/** What a hostile selection is put into: a query for HTTP, a subscription for the WebSocket. */
export interface Host {
  readonly operation: 'query' | 'subscription';
  /** The root field, and what is below it. */
  readonly field: string;
  readonly type: string;
  readonly leaf: string;
}

export const QUERY: Host = { operation: 'query', field: 'job(id: "1")', type: 'Job', leaf: 'id' };
export const SUBSCRIPTION: Host = {
  operation: 'subscription',
  field: 'jobEvents(jobId: "1")',
  type: 'JobEvent',
  leaf: 'sequence',
};

export interface HostileDocument {
  readonly what: string;
  readonly query: (host: Host) => string;
  /** As JSON: some are too deep for `JSON.stringify`. */
  readonly variables?: string;
  readonly operationName?: string;
  /** What a client is told, at either door. */
  readonly told: RegExp;
}

export type Written = (host: Host) => string;

export const times = (count: number, write: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => write(i)).join(' ');
export const nest = (count: number, open: string, close: string, core: string) =>
  `${open.repeat(count)}${core}${close.repeat(count)}`;

/** The host's field with `selection` below it. */
export const below =
  (selection: string | Written): Written =>
  (host) =>
    `${host.operation} { ${host.field} { ${typeof selection === 'string' ? selection : selection(host)} } }`;
/** The same, followed by definitions. */
export const beside =
  (selection: string, definitions: Written): Written =>
  (host) =>
    `${below(selection)(host)} ${definitions(host)}`;
/** A query as it is; the socket gets it beside a subscription that it is asked to run. */
export const asQuery =
  (text: string): Written =>
  ({ operation, field, leaf }) =>
    operation === 'query'
      ? `query Asked ${text}`
      : `subscription Asked { ${field} { ${leaf} } } query Other ${text}`;

export type Row = readonly [
  what: string,
  query: Written,
  told: RegExp,
  more?: Pick<HostileDocument, 'variables' | 'operationName'>,
];

export const SYNTAX = /^Syntax Error/;
